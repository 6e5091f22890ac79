-- Workflows for tests of the surroundings: a workflow is an activity and a
-- timer, whose length is its input in seconds; its result is that of the
-- activity.  Tables show what the worker has done.

CREATE TABLE charged (workflow_id text, attempt integer);

CREATE FUNCTION command(name text, attributes jsonb) RETURNS jsonb LANGUAGE sql AS
$$
	SELECT jsonb_build_object('commandType', 'COMMAND_TYPE_' || upper(regexp_replace(name, '([A-Z])', '_\1', 'g')),
		name || 'CommandAttributes', attributes)
$$;

-- Handler of workflow tasks.
CREATE FUNCTION decide(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	events jsonb := task #> '{history,events}';
	started jsonb := events #> '{0,workflowExecutionStartedEventAttributes}';
	completed jsonb := jsonb_path_query_first(events, '$[*].activityTaskCompletedEventAttributes');
BEGIN
	IF events @? '$[*].activityTaskFailedEventAttributes' THEN
		RETURN jsonb_build_array(command('failWorkflowExecution', jsonb_build_object('failure',
			jsonb_path_query_first(events, '$[*].activityTaskFailedEventAttributes.failure'))));
	ELSIF completed IS NOT NULL AND events @? '$[*].timerFiredEventAttributes' THEN
		RETURN jsonb_build_array(command('completeWorkflowExecution', jsonb_build_object('result', completed -> 'result')));
	ELSIF events @? '$[*].timerStartedEventAttributes' THEN
		RETURN '[]';
	END IF;
	RETURN jsonb_build_array(
		command('scheduleActivityTask', jsonb_build_object('activityId', 'charge',
			'activityType', '{"name": "charge"}'::jsonb, 'taskQueue', '{"name": "shop"}'::jsonb,
			'startToCloseTimeout', '10000s', 'input', started -> 'input',
			'retryPolicy', started #> '{memo,fields,retryPolicy}')),
		command('startTimer', jsonb_build_object('timerId', 'wait',
			'startToFireTimeout', (started #>> '{input,0}') || 's')));
END
$$;

-- Handler of activity tasks.
CREATE FUNCTION charge(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS
$$
BEGIN
	INSERT INTO charged VALUES (task ->> 'workflowId', (task ->> 'attempt')::integer);
	RETURN to_jsonb('charged ' || (task ->> 'workflowId'));
END
$$;

-- Works until there is nothing for a while.
CREATE PROCEDURE work_all(idle interval DEFAULT '0') LANGUAGE plpgsql AS
$$
BEGIN
	CALL temporal.work('shop', 'decide', 'workflow', idle_timeout => idle);
	CALL temporal.work('shop', 'charge', idle_timeout => idle);
END
$$;

-- Every table of the extension with the number of its rows.
CREATE FUNCTION row_counts() RETURNS TABLE (name text, rows bigint) LANGUAGE plpgsql AS
$$
BEGIN
	FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'temporal'::regnamespace AND relkind = 'r' ORDER BY 1 LOOP
		EXECUTE format('SELECT count(*) FROM temporal.%I', name) INTO rows;
		RETURN NEXT;
	END LOOP;
END
$$;
