-- History: append only, one row a batch.

CREATE TABLE temporal.history (
	run_id uuid,
	namespace_id uuid,
	first_event_id integer,
	event_count integer NOT NULL,
	shard smallint,
	events bytea NOT NULL,
	PRIMARY KEY (run_id, first_event_id, shard)
);
-- Costs a fraction of the time that pglz takes; not every server has it.
DO $$
BEGIN
	ALTER TABLE temporal.history ALTER COLUMN events SET COMPRESSION lz4;
EXCEPTION
	WHEN feature_not_supported THEN NULL;
END
$$;
COMMENT ON TABLE temporal.history IS 'Batches of history events.';
COMMENT ON COLUMN temporal.history.shard IS 'Shard of the workflow id';
COMMENT ON COLUMN temporal.history.namespace_id IS 'Namespace; NULL for the one that is there from the beginning';
COMMENT ON COLUMN temporal.history.run_id IS 'Run id';
COMMENT ON COLUMN temporal.history.first_event_id IS 'Id of the first event of the batch';
COMMENT ON COLUMN temporal.history.event_count IS 'Number of events of the batch';
COMMENT ON COLUMN temporal.history.events IS 'The events: a protobuf History message, so that pages are made by concatenation';
