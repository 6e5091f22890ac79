-- What the crash soak runs: workflows of five activities, their workers, and
-- what a client does to them.  psql variables: folder (for what is written
-- outside the database), workflows (how many).

CREATE SCHEMA soak;
SET search_path = soak;

-- ------------------------------------------------------------------ effects

CREATE TABLE setting (folder text NOT NULL);
INSERT INTO setting VALUES (:'folder');

-- What an activity does inside the database; nothing here keeps it unique.
CREATE TABLE effect (workflow_id text, activity_id text, attempt integer, nonce text);

-- A line in a file, which no rollback takes back.
CREATE PROCEDURE append(file text, VARIADIC fields text[])
LANGUAGE plpgsql AS
$$
BEGIN
	EXECUTE format('COPY (SELECT %L) TO PROGRAM %L', array_to_string(fields, ' '),
		format('cat >>%s/%s', (SELECT folder FROM soak.setting), file));
END
$$;

-- One attempt of an activity: something outside the database, something in it.
CREATE FUNCTION perform(workflow_id text, activity_id text, attempt integer) RETURNS text
LANGUAGE plpgsql AS
$$
DECLARE
	nonce text := gen_random_uuid();
BEGIN
	CALL soak.append('lines', workflow_id, activity_id, attempt::text, nonce,
		extract(epoch FROM clock_timestamp())::text);
	PERFORM pg_sleep(random() * 0.03);
	INSERT INTO soak.effect VALUES (workflow_id, activity_id, attempt, nonce);
	PERFORM pg_sleep(random() * 0.03);
	RETURN nonce;
END
$$;

-- ------------------------------------------------------------------ workers

-- Of CALL temporal.work(): taking and doing are two transactions.
CREATE FUNCTION handle(task jsonb) RETURNS jsonb
LANGUAGE sql VOLATILE AS
$$
	SELECT to_jsonb(soak.perform(task ->> 'workflowId', task ->> 'activityId', (task ->> 'attempt')::integer))
$$;

-- Takes, does and completes in one transaction, and now and then rolls back.
CREATE PROCEDURE work_raw()
LANGUAGE plpgsql AS
$$
DECLARE
	task record;
	nonce text;
BEGIN
	LOOP
		SELECT * INTO task FROM temporal.poll_activity_tasks('raw', 'raw worker');
		IF task.task_token IS NULL THEN
			COMMIT;
			PERFORM pg_sleep(0.05);
			CONTINUE;
		END IF;
		nonce := soak.perform(task.workflow_id, task.activity_id, task.attempt);
		IF random() < 0.03 THEN
			ROLLBACK;
			CALL soak.append('rollbacks', nonce);
			CONTINUE;
		END IF;
		PERFORM temporal.complete_activity_task(task.task_token, to_jsonb(nonce), 'raw worker');
		COMMIT;
	END LOOP;
END
$$;

-- ---------------------------------------------------------------- workflows

CREATE FUNCTION command(type text, attributes jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS
$$
	SELECT jsonb_build_array(jsonb_build_object('commandType', 'COMMAND_TYPE_' || type,
		lower(type) || '_command_attributes', attributes))
$$;

-- Which worker does it: in two transactions, in one, or outside the database.
CREATE FUNCTION queue_of(workflow_id text, activity integer) RETURNS text
LANGUAGE sql IMMUTABLE AS
$$
	SELECT (ARRAY['work', 'raw', 'work', 'raw', 'outside'])
		[1 + (substr(workflow_id, 2)::integer + activity) % 5]
$$;

-- Five activities one after the other, each when the client says so, with a
-- timer in between; ends when the client says so.
CREATE FUNCTION decide(task jsonb) RETURNS jsonb
LANGUAGE plpgsql AS
$$
DECLARE
	workflow_id text := task #>> '{workflowExecution,workflowId}';
	queue text;
	event jsonb;
	type text;
	said integer := 0;
	asked integer := 0;
	done integer := 0;
	timer integer := 0;
	may_end boolean := false;
BEGIN
	FOR event IN SELECT jsonb_array_elements(task #> '{history,events}') LOOP
		type := substr(event ->> 'eventType', 12);
		said := said + (type = 'WORKFLOW_EXECUTION_SIGNALED')::integer;
		asked := asked + (type = 'ACTIVITY_TASK_SCHEDULED')::integer;
		done := done + (type = 'ACTIVITY_TASK_COMPLETED')::integer;
		timer := timer + (type IN ('TIMER_STARTED', 'TIMER_FIRED'))::integer;
		may_end := may_end OR event #>> '{workflowExecutionSignaledEventAttributes,signalName}' = 'end';
	END LOOP;
	PERFORM pg_sleep(random() * 0.03);
	IF asked > done THEN
		RETURN '[]';
	ELSIF done = 3 AND timer = 0 THEN
		RETURN soak.command('START_TIMER', jsonb_build_object('timer_id', 'pause',
			'start_to_fire_timeout', round((random() * 0.5)::numeric, 3) || 's'));
	ELSIF done = 3 AND timer = 1 THEN
		RETURN '[]';
	ELSIF asked < 5 AND said > asked THEN
		queue := soak.queue_of(workflow_id, asked + 1);
		RETURN soak.command('SCHEDULE_ACTIVITY_TASK', jsonb_build_object(
			'activity_id', (asked + 1)::text, 'activity_type', jsonb_build_object('name', 'soak'),
			'task_queue', jsonb_build_object('name', queue),
			'start_to_close_timeout', CASE queue WHEN 'outside' THEN '2s' ELSE '60s' END,
			'retry_policy', '{"initial_interval": "0.1s", "maximum_interval": "1s"}'::jsonb));
	ELSIF may_end THEN
		RETURN soak.command('COMPLETE_WORKFLOW_EXECUTION',
			jsonb_build_object('result', jsonb_build_array(done)));
	END IF;
	RETURN '[]';
END
$$;

-- ------------------------------------------------------------------- client

-- What the client does, in this order: all starts, each workflow's five
-- signals to go on, each workflow's signal to end.
CREATE TABLE operation AS
	SELECT row_number() OVER (ORDER BY step = 0 DESC, step > 5, step, random())::integer AS n,
		'w' || workflow AS workflow_id, step
	FROM generate_series(1, :workflows) workflow, generate_series(0, 6) step;
ALTER TABLE operation ADD PRIMARY KEY (n);

-- Does some of it; may be repeated, as the client does that got no answer.
CREATE FUNCTION operate(first integer, last integer) RETURNS void
LANGUAGE plpgsql AS
$$
DECLARE
	operation record;
BEGIN
	FOR operation IN SELECT * FROM soak.operation WHERE n BETWEEN first AND last ORDER BY n LOOP
		IF operation.step = 0 THEN
			PERFORM temporal.start_workflow('soak', workflow_id => operation.workflow_id,
				task_queue => 'decide', task_timeout => '2s', request_id => 'start');
		ELSE
			PERFORM temporal.signal_workflow(operation.workflow_id,
				CASE WHEN operation.step > 5 THEN 'end' ELSE 'go' END, to_jsonb(operation.step),
				request_id => 'signal ' || operation.step);
		END IF;
	END LOOP;
END
$$;
