-- Tasks that are ready and not yet taken.  A row is only an offer: who may
-- start it is decided on the run row or on the activity's row.

CREATE TABLE temporal.task (
	queue_id bigint,
	created_at timestamptz,
	event_id integer,
	run_id uuid,
	namespace_id uuid,
	stamp integer NOT NULL,
	shard smallint,
	priority smallint,
	kind smallint NOT NULL,
	queue text COLLATE "C",
	PRIMARY KEY (queue_id, shard, priority, created_at, run_id, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
		autovacuum_vacuum_cost_delay = 0,
		-- Claims do not wait for the lock that shortening the table takes.
		vacuum_truncate = false);
COMMENT ON TABLE temporal.task IS 'Workflow and activity tasks waiting for a worker.';
COMMENT ON COLUMN temporal.task.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.task.queue_id IS 'Hash of namespace, kind and queue name';
COMMENT ON COLUMN temporal.task.priority IS 'Priority key, 1 is served first';
COMMENT ON COLUMN temporal.task.created_at IS 'When it became ready';
COMMENT ON COLUMN temporal.task.run_id IS 'Run id';
COMMENT ON COLUMN temporal.task.event_id IS 'Event that scheduled it';
COMMENT ON COLUMN temporal.task.namespace_id IS 'Namespace; NULL for the one that is there from the beginning';
COMMENT ON COLUMN temporal.task.kind IS 'TaskQueueType: 1 workflow, 2 activity';
COMMENT ON COLUMN temporal.task.stamp IS 'Must equal the stamp of what it offers, else it is obsolete';
COMMENT ON COLUMN temporal.task.queue IS 'Queue name; NULL if it is the queue of the run or its sticky one';
