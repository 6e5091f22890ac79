-- What is due when, and effects on other workflows.

CREATE TABLE temporal.timer (
	fire_at timestamptz,
	event_id integer,
	run_id uuid,
	namespace_id uuid NOT NULL,
	failures integer NOT NULL DEFAULT 0,
	shard smallint,
	kind smallint,
	error text,
	PRIMARY KEY (shard, fire_at, run_id, kind, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
		autovacuum_vacuum_cost_delay = 0,
		-- Claims do not wait for the lock that shortening the table takes.
		vacuum_truncate = false);
COMMENT ON TABLE temporal.timer IS 'Deadlines: one row a run, one a pending activity, one for a run to be deleted.';
COMMENT ON COLUMN temporal.timer.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.timer.fire_at IS 'When to look at it';
COMMENT ON COLUMN temporal.timer.run_id IS 'Run id';
COMMENT ON COLUMN temporal.timer.kind IS '1 run, 2 activity, 3 deletion';
COMMENT ON COLUMN temporal.timer.event_id IS 'Scheduled event of the activity, else 0';
COMMENT ON COLUMN temporal.timer.namespace_id IS 'Namespace';
COMMENT ON COLUMN temporal.timer.failures IS 'How often firing it failed; each time it is pushed back';
COMMENT ON COLUMN temporal.timer.error IS 'What the last failure was';

CREATE TABLE temporal.outbox (
	shard smallint,
	due_at timestamptz,
	run_id uuid,
	event_id bigint,
	namespace_id uuid NOT NULL,
	kind smallint NOT NULL,
	failures integer NOT NULL DEFAULT 0,
	error text,
	effect bytea NOT NULL,
	PRIMARY KEY (shard, due_at, run_id, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
		autovacuum_vacuum_cost_delay = 0,
		-- Claims do not wait for the lock that shortening the table takes.
		vacuum_truncate = false);
COMMENT ON TABLE temporal.outbox IS 'Effects on other workflows, each done by the keeper in a transaction of its own.';
COMMENT ON COLUMN temporal.outbox.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.outbox.due_at IS 'When to try next';
COMMENT ON COLUMN temporal.outbox.run_id IS 'Run that asked for it';
COMMENT ON COLUMN temporal.outbox.event_id IS 'Event that asked for it';
COMMENT ON COLUMN temporal.outbox.namespace_id IS 'Namespace of that run';
COMMENT ON COLUMN temporal.outbox.kind IS '1 signal, 2 cancel request';
COMMENT ON COLUMN temporal.outbox.failures IS 'How often it failed; each time it is pushed back';
COMMENT ON COLUMN temporal.outbox.error IS 'What the last failure was';
COMMENT ON COLUMN temporal.outbox.effect IS 'The event that asked for it: a protobuf HistoryEvent message';
