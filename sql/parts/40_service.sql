-- The RPC layer.

CREATE FUNCTION temporal.rpc(method text, request jsonb DEFAULT '{}')
RETURNS jsonb
LANGUAGE c STRICT VOLATILE
AS 'MODULE_PATHNAME', 'temporal_rpc';
COMMENT ON FUNCTION temporal.rpc(text, jsonb) IS
'Runs a WorkflowService method with Temporal''s proto-JSON mapping. Never waits: a poll with nothing to do returns {}.';

CREATE FUNCTION temporal.tick(max_items integer DEFAULT 1000)
RETURNS integer
LANGUAGE c STRICT VOLATILE
AS 'MODULE_PATHNAME', 'temporal_tick';
COMMENT ON FUNCTION temporal.tick(integer) IS
'Does one bounded batch of due work (timers, retries, timeouts, effects, retention) in this transaction; returns how many items it did.';
