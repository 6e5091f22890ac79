\echo Use "CREATE EXTENSION wake_test" to load this file. \quit

CREATE FUNCTION mark_queue(queue bigint)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_mark_queue';

CREATE FUNCTION mark_task(queue bigint, created_at bigint)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_mark_task';

-- Begins a claim.
CREATE FUNCTION lower_bound(queue bigint)
RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_lower_bound';

-- Ends it.
CREATE FUNCTION raise_bound(queue bigint, created_at bigint)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_raise_bound';

CREATE FUNCTION note_claim(event_id bigint)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_note_claim';

CREATE FUNCTION take_lost_claims()
RETURNS bigint[] LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_take_lost_claims';

CREATE FUNCTION note_poller(queue bigint, identity text)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_note_poller';

CREATE FUNCTION has_recent_poller(queue bigint, within_ms integer)
RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_has_recent_poller';

CREATE FUNCTION listen(queue bigint)
RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_listen';

-- Waits for a queue, or for the end of a run.
CREATE PROCEDURE wait(kind integer, channel bigint, timeout_ms integer, INOUT woken boolean DEFAULT NULL)
LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_wait';

CREATE FUNCTION mark_closed(run bigint)
RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'wake_test_mark_closed';
