-- Calls in random order, good and bad, late and repeated: whatever happens, the
-- invariants hold and the state follows from the history.  The seeds are fixed;
-- try others with psql -v seeds='{0.1,0.2}' -v steps=1000.

BEGIN;
\ir include/worker.sql
\if :{?seeds}
\else
	\set seeds '{0.1,0.5,0.9}'
\endif
\if :{?steps}
\else
	\set steps 500
\endif
SELECT plan(cardinality(:'seeds'::float8[]));

-- Tasks that were handed out; some are answered more than once.
CREATE TEMPORARY TABLE task (activity boolean, poll jsonb);

CREATE FUNCTION pg_temp.below(n integer) RETURNS integer
LANGUAGE sql VOLATILE AS $$ SELECT floor(random() * n)::integer $$;

CREATE FUNCTION pg_temp.choice(words text) RETURNS text
LANGUAGE sql VOLATILE AS
$$ SELECT w[1 + pg_temp.below(cardinality(w))] FROM string_to_array(words, ' ') AS w $$;

CREATE FUNCTION pg_temp.seconds(below integer) RETURNS text
LANGUAGE sql VOLATILE AS $$ SELECT pg_temp.below(below) || 's' $$;

-- Sometimes one that is in use.
CREATE FUNCTION pg_temp.an_id() RETURNS text
LANGUAGE sql VOLATILE AS $$ SELECT 'id' || pg_temp.below(CASE WHEN random() < 0.1 THEN 3 ELSE 1000000 END) $$;

CREATE FUNCTION pg_temp.a_command(workflow text) RETURNS jsonb
LANGUAGE sql VOLATILE AS
$$
	SELECT coalesce(CASE pg_temp.below(12)
		WHEN 0 THEN t.start_timer(pg_temp.an_id(), pg_temp.seconds(4))
		WHEN 1 THEN t.start_timer(pg_temp.an_id(), pg_temp.seconds(20))
		WHEN 2 THEN (SELECT t.cancel_timer(p.timer_id) FROM temporal.pending_timers AS p
			WHERE p.workflow_id = workflow ORDER BY random() LIMIT 1)
		WHEN 3 THEN t.schedule_activity(pg_temp.an_id(), jsonb_build_object(
			'start_to_close_timeout', pg_temp.seconds(5), 'schedule_to_start_timeout', pg_temp.seconds(9),
			'heartbeat_timeout', pg_temp.seconds(3), 'request_eager_execution', random() < 0.3,
			'retry_policy', jsonb_build_object('maximum_attempts', pg_temp.below(4))))
		WHEN 4 THEN (SELECT t.request_cancel_activity(p.scheduled_event_id)
			FROM temporal.pending_activity AS p JOIN temporal.execution AS e USING (run_id)
			WHERE e.workflow_id = workflow ORDER BY random() LIMIT 1)
		WHEN 5 THEN t.record_marker('m')
		WHEN 6 THEN t.upsert_search_attributes(jsonb_build_object('BuildIds', ARRAY[random()::text]))
		WHEN 7 THEN t.modify_properties(jsonb_build_object(pg_temp.an_id(), random()))
		WHEN 8 THEN t.signal_external(pg_temp.choice('v w nobody'))
		ELSE t.schedule_activity(pg_temp.an_id()) END, '[]')
$$;

CREATE FUNCTION pg_temp.some_commands(workflow text) RETURNS jsonb
LANGUAGE plpgsql AS
$$
DECLARE
	commands jsonb := '[]';
BEGIN
	FOR i IN 1 .. pg_temp.below(7) LOOP
		commands := commands || pg_temp.a_command(workflow);
	END LOOP;
	RETURN commands || CASE pg_temp.below(40) WHEN 0 THEN t.complete_workflow() WHEN 1 THEN t.fail_workflow()
		WHEN 2 THEN t.cancel_workflow() ELSE '[]' END;
END
$$;

-- A task that was handed out, and usually is not answered again.
CREATE FUNCTION pg_temp.take_task(activity boolean) RETURNS jsonb
LANGUAGE plpgsql AS
$$
DECLARE
	taken jsonb;
BEGIN
	SELECT k.poll INTO taken FROM task AS k WHERE k.activity = take_task.activity ORDER BY random() LIMIT 1;
	IF random() < 0.9 THEN
		DELETE FROM task AS k WHERE k.poll = taken;
	END IF;
	RETURN coalesce(taken, '{"taskToken": ""}');
END
$$;

CREATE FUNCTION pg_temp.start_options() RETURNS jsonb
LANGUAGE sql VOLATILE AS
$$
	SELECT jsonb_build_object('workflow_task_timeout', '5s',
		'workflow_start_delay', CASE WHEN random() < 0.2 THEN '3s' END,
		'workflow_run_timeout', CASE WHEN random() < 0.2 THEN '30s' END)
$$;

CREATE FUNCTION pg_temp.completion(poll jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE AS
$$
	SELECT t.completion(poll, pg_temp.some_commands(w), jsonb_build_object(
			'return_new_workflow_task', random() < 0.5, 'force_create_new_workflow_task', random() < 0.2)
			|| CASE WHEN random() < 0.3 THEN t.sticky(w || ' sticky', w, '2s') ELSE '{}' END)
	FROM (SELECT poll #>> '{workflowExecution,workflowId}') AS p (w)
$$;

-- Method and request of a random call.
CREATE FUNCTION pg_temp.a_call(kind text, workflow text, OUT method text, OUT request jsonb)
LANGUAGE plpgsql AS
$$
DECLARE
	execution jsonb := jsonb_build_object('execution', t.execution(workflow),
		'workflow_execution', t.execution(workflow));
	queue jsonb := jsonb_build_object('task_queue', jsonb_build_object('name', workflow));
BEGIN
	CASE kind
		WHEN 'start' THEN method := 'StartWorkflowExecution';
			request := t.starting(workflow, pg_temp.start_options());
		WHEN 'poll' THEN method := 'PollWorkflowTaskQueue'; request := queue;
		WHEN 'sticky' THEN method := 'PollWorkflowTaskQueue';
			request := jsonb_build_object('task_queue', jsonb_build_object('name', workflow || ' sticky',
				'kind', 'TASK_QUEUE_KIND_STICKY', 'normal_name', workflow));
		WHEN 'complete' THEN method := 'RespondWorkflowTaskCompleted';
			request := pg_temp.completion(pg_temp.take_task(false));
		WHEN 'fail' THEN method := 'RespondWorkflowTaskFailed';
			request := jsonb_build_object('task_token', pg_temp.take_task(false) -> 'taskToken');
		WHEN 'signal' THEN method := 'SignalWorkflowExecution'; request := t.signaling(workflow);
		WHEN 'cancel' THEN method := 'RequestCancelWorkflowExecution'; request := execution - 'execution';
		WHEN 'terminate' THEN method := 'TerminateWorkflowExecution'; request := execution - 'execution';
		WHEN 'act-poll' THEN method := 'PollActivityTaskQueue'; request := queue;
		WHEN 'act-done' THEN method := 'RespondActivityTaskCompleted';
			request := t.activity_request(pg_temp.take_task(true));
		WHEN 'act-fail' THEN method := 'RespondActivityTaskFailed';
			request := t.activity_request(pg_temp.take_task(true), jsonb_build_object('failure', t.failure('f')));
		WHEN 'act-cancel' THEN method := 'RespondActivityTaskCanceled';
			request := t.activity_request(pg_temp.take_task(true));
		WHEN 'act-beat' THEN method := 'RecordActivityTaskHeartbeat';
			request := t.activity_request(pg_temp.take_task(true), '{"details": [1]}');
	END CASE;
END
$$;

-- Makes one call and keeps the tasks that come of it; what was called, with the
-- error if it was refused.  Only refusals of ours are expected.
CREATE FUNCTION pg_temp.step(kind text, workflow text) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	call record;
	answer jsonb;
BEGIN
	IF kind = 'skip' THEN
		PERFORM t.skip(pg_temp.below(4) * interval '0.7 s');
		RETURN kind;
	END IF;
	call := pg_temp.a_call(kind, workflow);
	answer := temporal.rpc(call.method, '{"namespace": "default"}' || call.request);
	INSERT INTO task
		SELECT call.method = 'PollActivityTaskQueue', answer WHERE answer ? 'taskToken'
		UNION ALL SELECT false, answer -> 'workflowTask' WHERE answer ? 'workflowTask'
		UNION ALL SELECT true, jsonb_array_elements(answer -> 'activityTasks');
	RETURN format('%s %s %s', kind, workflow, answer #>> '{error,message}');
EXCEPTION WHEN OTHERS THEN
	IF sqlstate !~ '^TW' THEN
		RAISE;
	END IF;
	RETURN format('%s %s %s', kind, workflow, sqlerrm);
END
$$;

CREATE FUNCTION pg_temp.walk(seed float8, steps integer) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	run record;
	problems text[];
	log text := '';
BEGIN
	TRUNCATE task;
	PERFORM setseed(seed);
	FOR i IN 1 .. steps LOOP
		log := right(log || E'\n' || i || ' ' || pg_temp.step(pg_temp.choice('start poll poll poll sticky '
			|| 'complete complete complete complete fail signal signal cancel skip skip '
			|| 'act-poll act-poll act-poll act-done act-done act-fail act-cancel act-beat'
			|| CASE WHEN random() < 0.1 THEN ' terminate' ELSE '' END), pg_temp.choice('v w')), 2000);
		CONTINUE WHEN i % 10 <> 0;
		FOR run IN SELECT workflow_id, run_id::text FROM temporal.execution WHERE close_time IS NULL
				OR close_time > t.now() - interval '9 s' LOOP
			problems := t.problems(run.workflow_id, run.run_id);
			IF problems <> '{}' THEN
				RETURN array_to_string(problems, '; ') || log || E'\n'
					|| array_to_string(t.events(run.workflow_id, run.run_id), ', ');
			END IF;
		END LOOP;
	END LOOP;
	RETURN '';
END
$$;

SELECT is(pg_temp.walk(seed, :steps), '', 'random walk, seed ' || seed) FROM unnest(:'seeds'::float8[]) AS seed;

SELECT * FROM finish();
ROLLBACK;
