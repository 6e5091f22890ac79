-- Workflow functions in one transaction that is rolled back; after worker.sql.

-- Where a workflow is: 'running', or its result, or its failure.
CREATE FUNCTION t.outcome(workflow_id text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN coalesce(temporal.workflow_result(workflow_id)::text, 'NULL');
EXCEPTION WHEN OTHERS THEN
	RETURN CASE SQLSTATE WHEN 'TW902' THEN 'running' ELSE SQLSTATE || ' ' || SQLERRM END;
END
$$;

-- Starts it, and lets it go as far as it can.
CREATE FUNCTION t.launch(workflow_type text, input jsonb DEFAULT NULL, workflow_id text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	id text := temporal.start_workflow(workflow_type, input, coalesce(workflow_id, workflow_type));
BEGIN
	PERFORM t.tick();
	RETURN t.outcome(id);
END
$$;
