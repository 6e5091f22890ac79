-- What bench/run calls in the database that it measures.

CREATE SCHEMA bench;
CREATE TABLE bench.sample (id bigint GENERATED ALWAYS AS IDENTITY, us double precision NOT NULL);

CREATE FUNCTION bench.schedule(activities integer, queue text)
RETURNS jsonb
LANGUAGE sql
RETURN (SELECT jsonb_agg(jsonb_build_object(
		'commandType', 'COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK',
		'scheduleActivityTaskCommandAttributes', jsonb_build_object(
			'activityId', i::text,
			'activityType', jsonb_build_object('name', 'Greet'),
			'taskQueue', jsonb_build_object('name', queue),
			'input', jsonb_build_array('world'),
			'startToCloseTimeout', '36000s')))
	FROM generate_series(1, activities) i);
COMMENT ON FUNCTION bench.schedule IS 'The commands that schedule so many activities.';

-- Workflow tasks come from as many workflows, activity tasks from workflows of
-- a thousand activities.
CREATE PROCEDURE bench.fill(kind text, queue text, tasks integer)
LANGUAGE plpgsql
AS $$
DECLARE
	n integer;
BEGIN
	WHILE tasks > 0 LOOP
		n := least(tasks, 1000);
		IF kind = 'workflow' THEN
			PERFORM temporal.start_workflow('Wait', '1', task_queue => queue)
			FROM generate_series(1, n);
		ELSE
			PERFORM temporal.start_workflow('FanOut', '1', task_queue => queue);
			PERFORM temporal.complete_workflow_task(
				temporal.poll_workflow_task(queue) ->> 'taskToken', bench.schedule(n, queue));
		END IF;
		COMMIT;
		tasks := tasks - n;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE bench.fill IS 'Makes tasks that wait in a queue.';

-- Before it are "waiting" tasks, and it makes up for what it takes.
CREATE PROCEDURE bench.claim(kind text, queue text, waiting integer, claims integer)
LANGUAGE plpgsql
AS $$
DECLARE
	t timestamptz;
	got boolean;
BEGIN
	TRUNCATE bench.sample;
	CALL bench.fill(kind, queue, waiting);
	FOR i IN 1 .. claims LOOP
		t := clock_timestamp();
		IF kind = 'workflow' THEN
			got := temporal.poll_workflow_task(queue) IS NOT NULL;
		ELSE
			got := EXISTS (SELECT FROM temporal.poll_activity_tasks(queue));
		END IF;
		INSERT INTO bench.sample (us) VALUES (extract(epoch FROM clock_timestamp() - t) * 1e6);
		ASSERT got;
		COMMIT;
		IF i % 5 = 0 THEN
			CALL bench.fill(kind, queue, 5);
		END IF;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE bench.claim IS 'Samples how long a poll takes.';

CREATE PROCEDURE bench.churn(queue text, tasks integer)
LANGUAGE plpgsql
AS $$
DECLARE
	n integer := least(tasks, 1000);
BEGIN
	FOR i IN 1 .. tasks / n LOOP
		CALL bench.fill('activity', queue, n);
		PERFORM FROM temporal.poll_activity_tasks(queue, max_tasks => n);
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE bench.churn IS 'Makes activity tasks and takes them.';

CREATE PROCEDURE bench.fan_out(queue text, activities integer)
LANGUAGE plpgsql
AS $$
DECLARE
	t timestamptz;
BEGIN
	TRUNCATE bench.sample;
	PERFORM temporal.start_workflow('FanOut', '1', task_queue => queue);
	PERFORM temporal.complete_workflow_task(
		temporal.poll_workflow_task(queue) ->> 'taskToken', bench.schedule(activities, queue));
	COMMIT;
	FOR i IN 1 .. activities LOOP
		t := clock_timestamp();
		PERFORM temporal.complete_activity_task(p.task_token, p.input)
		FROM temporal.poll_activity_tasks(queue) p;
		INSERT INTO bench.sample (us) VALUES (extract(epoch FROM clock_timestamp() - t) * 1e6);
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE bench.fan_out IS
'Samples how long it takes to poll and complete each of the activities of one workflow.';

CREATE PROCEDURE bench.arm(queue text, workflows integer)
LANGUAGE plpgsql
AS $$
BEGIN
	FOR i IN 1 .. workflows LOOP
		PERFORM temporal.start_workflow('Sleep', '1', task_queue => queue);
		PERFORM temporal.complete_workflow_task(
			temporal.poll_workflow_task(queue) ->> 'taskToken',
			'[{"commandType": "COMMAND_TYPE_START_TIMER",
			   "startTimerCommandAttributes": {"timerId": "1", "startToFireTimeout": "36000s"}}]');
		IF i % 200 = 0 THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE bench.arm IS 'Makes workflows that sleep for ten hours.';
