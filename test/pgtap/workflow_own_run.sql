-- Activities and steps that change the workflow that they work for.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

CREATE SCHEMA own;
CREATE TABLE own.log (at serial, what text);

-- Does something to its own workflow.
CREATE FUNCTION own.act(deed text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	id text := temporal.activity_info() ->> 'workflow_id';
BEGIN
	INSERT INTO own.log (what) VALUES (deed);
	CASE deed
	WHEN 'signal' THEN PERFORM temporal.signal_workflow(id, 'x', '"from within"');
	WHEN 'signal with start' THEN
		PERFORM temporal.signal_with_start_workflow('x', 'talks', '"from within"', workflow_id => id);
	WHEN 'cancel' THEN PERFORM temporal.cancel_workflow(id);
	WHEN 'terminate' THEN PERFORM temporal.terminate_workflow(id, 'suicide');
	WHEN 'delete' THEN PERFORM temporal.delete_workflow(id);
	WHEN 'restart' THEN
		PERFORM temporal.start_workflow('sleeps', workflow_id => id, id_conflict_policy => 'TerminateExisting');
	WHEN 'start' THEN
		BEGIN
			PERFORM temporal.start_workflow('sleeps', workflow_id => id);
		EXCEPTION WHEN SQLSTATE 'TW600' THEN
			RETURN 'already started';
		END;
	WHEN 'complete' THEN
		PERFORM temporal.complete_activity(id, temporal.activity_info() ->> 'activity_id', '"by itself"');
	WHEN 'stubborn' THEN
		BEGIN
			PERFORM temporal.signal_workflow(id, 'x', '"from within"');
		EXCEPTION WHEN OTHERS OR query_canceled THEN
			RETURN 'has caught it';
		END;
	END CASE;
	RETURN deed;
END
$$;

CREATE FUNCTION own.sleeps() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM temporal.sleep('1 day'); RETURN 'slept'; END $$;
SELECT temporal.register_workflow('own.sleeps') \g /dev/null

CREATE FUNCTION own.talks(deed text) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	answer text := temporal.execute_activity('act ' || deed, deed, result => ''::text);
BEGIN
	RETURN jsonb_build_array(answer, temporal.poll_signal('x'));
END
$$;
SELECT temporal.register_workflow('own.talks') \g /dev/null

-- A process has learnt nothing yet of an activity of that name.
CREATE FUNCTION own.launch(deed text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.register_activity('own.act', name => 'act ' || deed);
	RETURN t.launch('talks', to_jsonb(deed), deed);
END
$$;

\echo # activities

SELECT is(own.launch('signal'), '["signal", "from within"]', 'an activity signals its own workflow');
SELECT t.check('signal');
SELECT is((SELECT count(*) FROM own.log), 1::bigint, 'and does that once');
SELECT is(t.launch('talks', '"signal"', 'signal again'), '["signal", "from within"]', 'and another time');
SELECT is(own.launch('signal with start'), '["signal with start", "from within"]', 'or by a signal with start');
SELECT is(own.launch('stubborn'), '["stubborn", "from within"]', 'or where it catches everything');
SELECT is(own.launch('start'), '["already started", null]', 'it cannot be started once more');
SELECT is(own.launch('complete'), '["by itself", null]', 'an activity completes itself');
TRUNCATE own.log;
SELECT is(own.launch('cancel'), '["cancel", null]', 'or cancels its workflow');
SELECT is((SELECT count(*) FROM temporal.history('cancel') WHERE event_type = 'WorkflowExecutionCancelRequested'), 1::bigint,
	'which may look at that later');
SELECT alike(own.launch('terminate'), 'TF003 %', 'or terminates it');
SELECT t.check('terminate');
SELECT is(own.launch('restart'), 'running', 'or starts it anew');
SELECT is((SELECT workflow_type FROM temporal.workflows WHERE workflow_id = 'restart' AND status = 'Running'), 'sleeps', 'as something else');
SELECT alike(own.launch('delete'), 'TW500 %', 'or deletes it');
SELECT is((SELECT array_agg(what ORDER BY at) FROM own.log), '{cancel,terminate,restart,delete}', 'what else they do stays');

\echo # steps

CREATE FUNCTION own.steps(catches boolean) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	id text := temporal.workflow_info() ->> 'workflow_id';
BEGIN
	PERFORM temporal.step('before', 'INSERT INTO own.log (what) VALUES ($1)', 'before'::text);
	PERFORM temporal.step('own', 'SELECT temporal.signal_workflow($1, ''x'')', id);
	RETURN 'signalled';
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	IF NOT catches THEN RAISE; END IF;
	RETURN SQLERRM;
END
$$;
SELECT temporal.register_workflow('own.steps') \g /dev/null
TRUNCATE own.log;
SELECT is(t.launch('steps', 'true', 'a step'),
	'"step \"own\" failed: a workflow cannot be changed by what is done in its own workflow task"', 'a step cannot');
SELECT is((SELECT array_agg(what) FROM own.log), '{before}', 'those before it stay');
SELECT t.check('a step');
SELECT alike(t.launch('steps', 'false', 'a step that fails'), 'TF001 %cannot be changed%', 'nor where nobody catches that');

CREATE FUNCTION own.local() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN temporal.execute_local_activity('tell', temporal.workflow_info() ->> 'workflow_id', result => ''::text);
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	RETURN SQLERRM;
END
$$;
CREATE FUNCTION own.tell(id text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM temporal.signal_workflow(id, 'x'); RETURN 'told'; END $$;
SELECT temporal.register_workflow('own.local') \g /dev/null
SELECT temporal.register_activity('own.tell') \g /dev/null
SELECT alike(t.launch('local'), '%cannot be changed%', 'nor can a local activity');

CREATE FUNCTION own.direct() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.signal_workflow(temporal.workflow_info() ->> 'workflow_id', 'x');
	RETURN 'signalled';
END
$$;
SELECT temporal.register_workflow('own.direct', direct_sql => true) \g /dev/null
SELECT alike(t.launch('direct'), 'TF001 %cannot be changed%', 'nor the workflow itself');

\echo # triggers

CREATE FUNCTION own.on_log() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM temporal.signal_workflow(NEW.what, 'x', '"by a trigger"'); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON own.log FOR EACH ROW EXECUTE FUNCTION own.on_log();
CREATE FUNCTION own.write(id text) RETURNS text LANGUAGE sql AS
$$ INSERT INTO own.log (what) VALUES (id) RETURNING 'written' $$;
SELECT temporal.register_activity('own.write') \g /dev/null
CREATE FUNCTION own.writes() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.execute_activity('write', temporal.workflow_info() ->> 'workflow_id');
	RETURN temporal.await_signal('x');
END
$$;
SELECT temporal.register_workflow('own.writes') \g /dev/null
SELECT is(t.launch('writes'), '"\"by a trigger\""', 'a table that an activity writes may signal, too');
SELECT t.check('writes');

SELECT * FROM finish();
ROLLBACK;
