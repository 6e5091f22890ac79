-- Helpers for workflows that are written as deciders.
--
-- A decider is a function that CALL temporal.work(queue, decider, 'workflow')
-- calls with a workflow task: the history of one workflow so far.  It returns
-- what to do next, a JSON array of Temporal's commands.  Nothing else decides
-- about the workflow, so a decider must depend on the history alone.

CREATE SCHEMA decider;

-- What the workflow was started with.
CREATE FUNCTION decider.input(task jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN task #> '{history,events,0,workflowExecutionStartedEventAttributes,input,0}';

-- How far each step is: {"charge": "completed", "approved": "signaled", ...}.
-- A step is the id of an activity or timer, or the name of a signal; its state
-- is what the last event about it says.
CREATE FUNCTION decider.progress(task jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	events jsonb := task #> '{history,events}';
	event jsonb;
	attributes jsonb;
	step text;
	progress jsonb := '{}';
BEGIN
	FOR event IN SELECT jsonb_array_elements(events) LOOP
		SELECT value INTO attributes FROM jsonb_each(event) WHERE key LIKE '%EventAttributes';
		-- The end of an activity names the event that scheduled it; event 1 is at 0.
		step := coalesce(attributes ->> 'activityId', attributes ->> 'timerId', attributes ->> 'signalName',
			events -> ((attributes ->> 'scheduledEventId')::integer - 1)
				#>> '{activityTaskScheduledEventAttributes,activityId}');
		IF step IS NOT NULL THEN
			progress := progress ||
				jsonb_build_object(step, lower(substring(event ->> 'eventType' FROM 'TIMED_OUT$|[A-Z]+$')));
		END IF;
	END LOOP;
	RETURN progress;
END
$$;

CREATE FUNCTION decider.failed(progress jsonb, step text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(progress ->> step IN ('failed', 'timed_out'), false);

-- Over, one way or another.
CREATE FUNCTION decider.done(progress jsonb, step text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(progress ->> step IN ('completed', 'failed', 'timed_out', 'fired', 'signaled'), false);

-- ---- commands ----

-- Nothing to do until the next event.
CREATE FUNCTION decider.wait() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '[]'::jsonb;

-- Schedules an activity, once.  A failed attempt is followed by another, except
-- after an error with one of the SQLSTATEs in "fatal".
CREATE FUNCTION decider.activity(progress jsonb, step text, task_queue text, input jsonb,
								 fatal text[] DEFAULT '{}')
RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN progress ? step THEN decider.wait() ELSE
	jsonb_build_array(jsonb_build_object(
		'commandType', 'ScheduleActivityTask',
		'scheduleActivityTaskCommandAttributes', jsonb_build_object(
			'activityId', step,
			'activityType', jsonb_build_object('name', step),
			'taskQueue', jsonb_build_object('name', task_queue),
			'input', jsonb_build_array(input),
			'startToCloseTimeout', '10s',
			'retryPolicy', jsonb_build_object(
				'initialInterval', '1s',
				'backoffCoefficient', 2,
				'nonRetryableErrorTypes', fatal))))
	END;

-- Starts a timer, once.
CREATE FUNCTION decider.timer(progress jsonb, step text, delay interval) RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN progress ? step THEN decider.wait() ELSE
	jsonb_build_array(jsonb_build_object(
		'commandType', 'StartTimer',
		'startTimerCommandAttributes', jsonb_build_object(
			'timerId', step,
			'startToFireTimeout', temporal.duration(delay))))
	END;

-- Ends the workflow with a result.
CREATE FUNCTION decider.complete(result text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_build_array(jsonb_build_object(
	'commandType', 'CompleteWorkflowExecution',
	'completeWorkflowExecutionCommandAttributes',
		jsonb_build_object('result', jsonb_build_array(result))));
