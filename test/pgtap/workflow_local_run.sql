-- Activities that are run by the pass that asks for them.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

CREATE SCHEMA shop;
CREATE TABLE shop.log (at serial, what text, attempt integer, backend integer DEFAULT pg_backend_pid());

CREATE SEQUENCE shop.calls;

CREATE FUNCTION shop.note(what text, fails integer DEFAULT 0) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	attempt integer := temporal.activity_info() ->> 'attempt';
BEGIN
	PERFORM nextval('shop.calls');
	INSERT INTO shop.log (what, attempt) VALUES (what, attempt);
	IF attempt <= fails THEN RAISE EXCEPTION '% fails', what; END IF;
	RETURN what || ' ' || attempt;
END
$$;
SELECT temporal.register_activity('shop.note', initial_interval => '1 s', maximum_attempts => 3) \g /dev/null

-- What an activity was started by: itself, or whoever has polled for it.
CREATE FUNCTION t.ways(workflow_id text) RETURNS text LANGUAGE sql AS
$$
	SELECT string_agg(CASE attributes ->> 'requestId' WHEN 'local' THEN 'local' ELSE 'queue' END, ', ' ORDER BY event_id)
	FROM temporal.history(workflow_id) WHERE event_type = 'ActivityTaskStarted'
$$;

\echo # one after the other

CREATE FUNCTION shop.two() RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	a jsonb := temporal.execute_activity('note', 'a'::text);
BEGIN
	RETURN jsonb_build_array(a, temporal.execute_activity('note', 'b'::text));
END
$$;
SELECT temporal.register_workflow('shop.two') \g /dev/null
SELECT is(t.launch('two'), '["a 1", "b 1"]', 'two activities');
SELECT t.history_is('two', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE,'
	' 8 WFT_SCHED, 9 WFT_START, 10 WFT_DONE, 11 ACT_SCHED, 12 ACT_START, 13 ACT_DONE,'
	' 14 WFT_SCHED, 15 WFT_START, 16 WFT_DONE, 17 WF_COMPLETED', 'leave the history of dispatched ones');
SELECT is(t.ways('two'), 'local, local', 'and are not dispatched');
SELECT t.event_has('two', 7, '{"scheduledEventId": "5", "startedEventId": "6", "result": ["a 1"]}', 'the end names start and schedule');
SELECT t.check('two');
SELECT is((SELECT array_agg(what ORDER BY at) FROM shop.log), '{a,b}', 'each is done once');
SELECT is(temporal.replay('shop.two', 'two'), NULL, 'the history can be replayed');
TRUNCATE shop.log;

\echo # then a wait

CREATE FUNCTION shop.waits() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.execute_activity('note', 'before'::text);
	PERFORM temporal.step('between', 'INSERT INTO shop.log (what) VALUES ($1)', 'between'::text);
	PERFORM temporal.execute_activity('note', 'after'::text);
	PERFORM temporal.sleep('1 day');
	RETURN temporal.execute_activity('note', 'last'::text);
END
$$;
SELECT temporal.register_workflow('shop.waits') \g /dev/null
SELECT is(t.launch('waits'), 'running', 'a workflow waits');
SELECT is((SELECT array_agg(what ORDER BY at) FROM shop.log), '{before,between,after}', 'what it did before is done');
SELECT t.history_is('waits', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE,'
	' 8 WFT_SCHED, 9 WFT_START, 10 WFT_DONE, 11 MARKER, 12 ACT_SCHED, 13 ACT_START, 14 ACT_DONE,'
	' 15 WFT_SCHED, 16 WFT_START, 17 WFT_DONE, 18 TIMER_START', 'and in the history');
SELECT t.check('waits');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('waits'), '"\"last 1\""', 'it goes on');
SELECT is((SELECT array_agg(what ORDER BY at) FROM shop.log), '{before,between,after,last}', 'nothing is done twice');
SELECT is(t.ways('waits'), 'local, local, local', 'none was dispatched');
SELECT t.check('waits');
TRUNCATE shop.log;

\echo # side by side

CREATE FUNCTION shop.fan(n integer) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	handles bigint[];
	results jsonb[];
BEGIN
	FOR i IN 1 .. n LOOP
		handles := handles || temporal.start_activity('note', i::text);
	END LOOP;
	PERFORM temporal.await_any(handles);
	results := temporal.await_all(handles);
	RETURN jsonb_build_array(results[1], results[n]);
END
$$;
SELECT temporal.register_workflow('shop.fan') \g /dev/null
SELECT is(t.launch('fan', '3'), '["1 1", "3 1"]', 'three at once');
SELECT t.history_is('fan', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 ACT_SCHED, 7 ACT_SCHED,'
	' 8 ACT_START, 9 ACT_DONE, 10 WFT_SCHED, 11 ACT_START, 12 ACT_START, 13 ACT_DONE, 14 ACT_DONE,'
	' 15 WFT_START, 16 WFT_DONE, 17 WF_COMPLETED', 'are over before the next workflow task');
SELECT t.check('fan');
SELECT is(t.launch('fan', '2000', 'wide'), '["1 1", "2000 1"]', 'two thousand at once');
SELECT is((SELECT count(*) FROM shop.log), 2003::bigint, 'each is done once');
TRUNCATE shop.log;

\echo # failures

CREATE FUNCTION shop.tries(fails integer) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.execute_activity('note', 'before'::text);
	RETURN temporal.execute_activity('note', ARRAY['"try"', to_jsonb(fails)]::jsonb[]);
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	PERFORM temporal.execute_activity('note', 'sorry'::text);
	RETURN SQLERRM;
END
$$;
SELECT temporal.register_workflow('shop.tries') \g /dev/null
SELECT is(t.launch('tries', '2'), 'running', 'an attempt that failed');
SELECT is(t.pending_activity('tries', '2') ->> 'attempt', '2', 'is an attempt');
SELECT is(t.pending_activity('tries', '2') #>> '{lastFailure,message}', 'try fails', 'with its failure');
SELECT is((SELECT array_agg(what) FROM shop.log), '{before}', 'and leaves nothing');
SELECT t.skip('1 s') \g /dev/null
SELECT t.skip('2 s') \g /dev/null
SELECT is(t.outcome('tries'), '"\"try 3\""', 'others follow after its backoff');
SELECT is(t.ways('tries'), 'local, queue', 'by the task queue');
SELECT t.check('tries');
SELECT is(t.launch('tries', '9', 'gives up'), 'running', 'the last attempt');
SELECT t.skip('1 s') \g /dev/null
SELECT t.skip('2 s') \g /dev/null
SELECT is(t.outcome('gives up'), '"activity \"note\" failed: try fails"', 'is an exception');
SELECT is((SELECT array_agg(what || attempt ORDER BY at) FROM shop.log), '{before1,try3,before1,sorry1}', 'what did not fail is done once');
SELECT t.check('gives up');
TRUNCATE shop.log;

CREATE FUNCTION shop.once() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN temporal.execute_activity('note', ARRAY['"try"', '1']::jsonb[], maximum_attempts => 1);
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	RETURN temporal.execute_activity('note', 'sorry'::text);
END
$$;
SELECT temporal.register_workflow('shop.once') \g /dev/null
SELECT setval('shop.calls', 1) \g /dev/null
SELECT is(t.launch('once'), '"\"sorry 1\""', 'the only attempt fails');
SELECT t.history_is('once', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 ACT_START, 7 ACT_FAILED,'
	' 8 WFT_SCHED, 9 WFT_START, 10 WFT_DONE, 11 ACT_SCHED, 12 ACT_START, 13 ACT_DONE,'
	' 14 WFT_SCHED, 15 WFT_START, 16 WFT_DONE, 17 WF_COMPLETED', 'and the workflow goes on at once');
SELECT is((SELECT array_agg(what) FROM shop.log), '{sorry}', 'what failed left nothing');
SELECT is(nextval('shop.calls'), 4::bigint, 'and was not tried twice');
SELECT t.check('once');
TRUNCATE shop.log;

CREATE FUNCTION shop.wordy() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING errcode = 'UX001', message = repeat('x', 2200000); END $$;
SELECT temporal.register_activity('shop.wordy') \g /dev/null
CREATE FUNCTION shop.too_wordy() RETURNS text LANGUAGE sql AS $$ SELECT temporal.execute_activity('wordy')::text $$;
SELECT temporal.register_workflow('shop.too_wordy') \g /dev/null
SELECT matches(t.launch('too_wordy'), 'Failure exceeds size limit', 'a failure that is too large ends the activity');
SELECT t.event_has('too_wordy', 7, '{"retryState": "RETRY_STATE_NON_RETRYABLE_FAILURE", "failure": {"message": "Failure exceeds size limit.",
	"serverFailureInfo": {"nonRetryable": true}, "cause": {"applicationFailureInfo": {"type": "UX001"}}}}', 'by another one');
SELECT cmp_ok(octet_length(t.event('too_wordy', 7)::text), '<', 600000, 'and is cut');
SELECT t.check('too_wordy');

CREATE FUNCTION shop.borrow(detail text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'borrowed' USING errcode = CASE detail WHEN 'plain' THEN 'TF014' ELSE 'TF011' END, detail = detail; END $$;
SELECT temporal.register_activity('shop.borrow', maximum_attempts => 1),
	temporal.register_activity('shop.borrow', 'borrow_by_queue', maximum_attempts => 1, heartbeat_timeout => '1 min') \g /dev/null
CREATE FUNCTION shop.borrows(how jsonb) RETURNS text LANGUAGE sql AS
$$ SELECT temporal.execute_activity(how ->> 'activity', how ->> 'detail')::text $$;
SELECT temporal.register_workflow('shop.borrows') \g /dev/null
SELECT t.launch('borrows', jsonb_build_object('activity', a, 'detail', d), a || n)
FROM unnest(ARRAY['borrow', 'borrow_by_queue']) a, (VALUES ('other', '{"message": "m", "canceledFailureInfo": {}}'::jsonb),
	('delay', '{"message": "m", "applicationFailureInfo": {"type": "X", "nextRetryDelay": "-1s"}}'), ('plain', '"plain"')) d(n, d) \g /dev/null
SELECT unnest(ARRAY[
	t.event_has(a || 'other', 7, '{"failure": {"message": "borrowed", "applicationFailureInfo": {"type": "TF011"},
	"cause": {"message": "m", "canceledFailureInfo": {}}}}', a || ' fails because of a failure that is not its own'),
	t.event_has(a || 'delay', 7, '{"failure": {"message": "m", "applicationFailureInfo": {"type": "X", "nextRetryDelay": null}}}', a || ' asks for what cannot be'),
	t.event_has(a || 'plain', 7, '{"failure": {"message": "borrowed", "stackTrace": "PL/pgSQL function shop.borrow(text) line 1 at RAISE", "applicationFailureInfo": {"type": "TF014", "details": ["plain"]}}}', a || ' carries no failure')])
FROM unnest(ARRAY['borrow', 'borrow_by_queue']) a;

\echo # a block that is rolled back

CREATE FUNCTION shop.regret() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	BEGIN
		PERFORM temporal.execute_activity('note', 'done'::text);
		RAISE EXCEPTION 'never mind';
	EXCEPTION WHEN raise_exception THEN
		NULL;
	END;
	RETURN temporal.execute_activity('note', 'then'::text);
END
$$;
SELECT temporal.register_workflow('shop.regret') \g /dev/null
SELECT is(t.launch('regret'), '"\"then 1\""', 'a block with an activity is rolled back');
SELECT is((SELECT array_agg(what ORDER BY at) FROM shop.log), '{done,then}', 'the activity stays');
SELECT t.check('regret');
TRUNCATE shop.log;

\echo # the workflow fails, or is wrong

CREATE FUNCTION shop.doomed(sqlstate text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.execute_activity('note', 'done'::text);
	RAISE EXCEPTION 'the end' USING errcode = sqlstate;
END
$$;
SELECT temporal.register_workflow('shop.doomed') \g /dev/null
SELECT is(t.launch('doomed', '"P0001"'), 'TF001 workflow "doomed" failed: the end', 'it fails after an activity');
SELECT is((SELECT array_agg(what) FROM shop.log), '{done}', 'which stays');
SELECT t.check('doomed');
TRUNCATE shop.log;

SELECT is(t.launch('doomed', '"42883"', 'bug'), 'running', 'it has a bug after an activity');
SELECT is((SELECT array_agg(what) FROM shop.log), '{done}', 'which stays');
SELECT t.history_is('bug', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE,'
	' 8 WFT_SCHED, 9 WFT_START, 10 WFT_FAILED', 'only the task fails');
SELECT t.check('bug');
CREATE OR REPLACE FUNCTION shop.doomed(sqlstate text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN temporal.execute_activity('note', 'done'::text); END $$;
SELECT t.skip('1 min') \g /dev/null
SELECT is(t.outcome('bug'), '"\"done 1\""', 'mended, it goes on');
SELECT is((SELECT array_agg(what) FROM shop.log), '{done}', 'and nothing is done twice');
SELECT t.check('bug');
TRUNCATE shop.log;

\echo # an answer that is refused

CREATE FUNCTION shop.refused() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.step('step', 'INSERT INTO shop.log (what) VALUES ($1)', 'step'::text);
	PERFORM temporal.execute_activity('note', 'activity'::text);
	PERFORM temporal.start_activity('note', activity_id => 'twice', task_queue => 'nobody');
	PERFORM temporal.start_activity('note', activity_id => 'twice', task_queue => 'nobody');
	RETURN temporal.execute_activity('note', 'last'::text);
END
$$;
SELECT temporal.register_workflow('shop.refused') \g /dev/null
SELECT is(t.launch('refused'), 'running', 'a command is refused');
SELECT t.history_is('refused', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'the workflow task fails');
SELECT t.event_has('refused', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID"}', 'for that reason');
SELECT is((SELECT count(*) FROM shop.log), 0::bigint, 'and nothing that is not in the history is done');
SELECT t.check('refused');
CREATE OR REPLACE FUNCTION shop.refused() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.step('step', 'INSERT INTO shop.log (what) VALUES ($1)', 'step'::text);
	RETURN temporal.execute_activity('note', 'activity'::text);
END
$$;
SELECT t.skip('1 min') \g /dev/null
SELECT is(t.outcome('refused'), '"\"activity 1\""', 'mended, it goes on');
SELECT is((SELECT array_agg(what ORDER BY at) FROM shop.log), '{step,activity}', 'each is done once');
SELECT t.check('refused');
TRUNCATE shop.log;

CREATE FUNCTION shop.endless() RETURNS void LANGUAGE plpgsql AS
$$ BEGIN LOOP PERFORM temporal.execute_activity('note', 'again'::text); END LOOP; END $$;
SELECT temporal.register_workflow('shop.endless') \g /dev/null
SET LOCAL temporal.history_count_limit = 100;
SELECT matches(t.launch('endless'), 'terminated', 'a history that is too long');
SELECT cmp_ok((SELECT count(*) FROM shop.log), '<=', 17::bigint, 'ends with what is done');
SELECT is((SELECT count(*) FROM shop.log),
	(SELECT count(*) FROM temporal.history('endless') WHERE event_type = 'ActivityTaskCompleted'), 'all of which is in the history');
RESET temporal.history_count_limit;
TRUNCATE shop.log;

\echo # where names are looked for

CREATE FUNCTION shop.path() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_setting('search_path'); END $$;
SELECT temporal.register_activity('shop.path') \g /dev/null
CREATE FUNCTION shop.narrow(pause boolean) RETURNS jsonb LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
$$
DECLARE
	paths jsonb := jsonb_build_object('activity', temporal.execute_activity('path'),
		'local', temporal.execute_local_activity('path'),
		'step', temporal.step('path', 'SELECT current_setting(''search_path'')'));
BEGIN
	IF pause THEN PERFORM temporal.sleep('1 s'); END IF;
	RETURN paths || jsonb_build_object('workflow', current_setting('search_path'));
END
$$;
SELECT temporal.register_workflow('shop.narrow') \g /dev/null
SELECT temporal.start_workflow('narrow', to_jsonb(pause), 'narrow ' || pause) FROM (VALUES (false), (true)) p (pause) \g /dev/null
SELECT t.skip('1 s') \g /dev/null
SELECT t.skip('1 s') \g /dev/null
SELECT is(t.outcome('narrow ' || pause)::jsonb, jsonb_build_object('activity', current_setting('search_path'),
	'local', current_setting('search_path'), 'step', 'pg_catalog, pg_temp', 'workflow', 'pg_catalog, pg_temp'),
	'search_path in a pass with ' || CASE WHEN pause THEN 'a' ELSE 'no' END || ' pause')
	FROM (VALUES (false), (true)) p (pause);

\echo # other settings

CREATE FUNCTION shop.settings() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN concat_ws(' ', current_setting('DateStyle'), current_setting('role'), current_setting('shop.tenant', true)); END $$;
SELECT temporal.register_activity('shop.settings') \g /dev/null
CREATE FUNCTION shop.settings_of_all() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN concat_ws(', ', temporal.execute_activity('settings', result => ''::text),
		temporal.execute_local_activity('settings', result => ''::text));
END
$$;
CREATE FUNCTION shop.set_by_clause() RETURNS text LANGUAGE plpgsql SET DateStyle = german AS $$ BEGIN RETURN shop.settings_of_all(); END $$;
CREATE FUNCTION shop.set_by_body(setting jsonb) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM set_config(setting ->> 0, setting ->> 1, true); RETURN shop.settings_of_all(); END $$;
CREATE FUNCTION shop.set_by_another() RETURNS text LANGUAGE sql AS $$ SELECT shop.set_by_clause() $$;
CREATE FUNCTION shop.set_before() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM shop.set_by_clause(); RETURN shop.settings_of_all(); END $$;
SELECT temporal.register_workflow('shop.' || name) FROM unnest(ARRAY['set_by_clause', 'set_by_body', 'set_by_another', 'set_before']) name \g /dev/null
SET LOCAL shop.tenant = 'outer';
SELECT is(t.launch(type, input, type || row_number() OVER ()), format('"%1$s, %1$s"', shop.settings()), 'activities do not find what is ' || type || coalesce(input::text, '')) FROM (VALUES
	('set_by_clause', NULL::jsonb), ('set_by_another', NULL), ('set_before', NULL),
	('set_by_body', '["DateStyle", "german"]'), ('set_by_body', '["shop.tenant", "inner"]'),
	('set_by_body', jsonb_build_array('role', current_user))) s (type, input);

\echo # something else is due meanwhile

CREATE FUNCTION shop.slow() RETURNS void LANGUAGE sql AS $$ SELECT pg_sleep(0.1) $$;
SELECT temporal.register_activity('shop.slow') \g /dev/null
CREATE FUNCTION shop.slowly() RETURNS void LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1 .. 4 LOOP PERFORM temporal.execute_activity('slow'); END LOOP; END $$;
CREATE FUNCTION shop.times() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM temporal.start_timer('0.15 s'); PERFORM shop.slowly(); END $$;
CREATE FUNCTION shop.times_all() RETURNS void LANGUAGE plpgsql AS
$$
DECLARE
	handles bigint[];
BEGIN
	PERFORM temporal.start_timer('0.15 s');
	FOR i IN 1 .. 4 LOOP handles := handles || temporal.start_activity('slow'); END LOOP;
	PERFORM temporal.await_all(handles);
END
$$;
SELECT temporal.register_workflow('shop.' || name) FROM unnest(ARRAY['slowly', 'times', 'times_all']) name \g /dev/null
SELECT is(t.launch('slowly'), 'NULL', 'activities take a while');
SELECT is(t.ways('slowly'), 'local, local, local, local', 'and nothing else is due');
SELECT t.launch('times'), t.launch('times_all') \g /dev/null
SELECT matches(t.ways(w), 'queue$', 'when a timer is due, others may be next: ' || w) FROM unnest(ARRAY['times', 'times_all']) w;
SELECT t.check(w) FROM unnest(ARRAY['times', 'times_all']) w;
SELECT temporal.start_workflow('slowly', workflow_id => 'timed out', run_timeout => '0.25 s'), temporal.tick() \g /dev/null
SELECT matches(t.ways('timed out'), 'queue$', 'so it is when the time of the run is over');
SELECT t.check('timed out');

\echo # errors that say they are failures

CREATE FUNCTION shop.claims(detail text) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'TF010', MESSAGE = 'no more seats', DETAIL = detail; END $$;
SELECT temporal.register_activity('shop.claims', maximum_attempts => 1) \g /dev/null
CREATE FUNCTION shop.claimant(detail text) RETURNS void LANGUAGE sql AS
$$ SELECT temporal.execute_activity('claims', detail) $$;
SELECT temporal.register_workflow('shop.claimant') \g /dev/null
SELECT is(t.launch('claimant', to_jsonb(detail), detail), 'TF001 workflow "' || detail ||
	'" failed: activity "claims" failed: ' || message, 'what is ' || detail) FROM (VALUES
	('no JSON', 'no more seats'),
	('{"message": "none left"}', 'no more seats: none left'),
	('{"no": "failure"}', 'no more seats')) d (detail, message);

\echo # what is dispatched all the same

SELECT temporal.register_activity('shop.note', 'beating', heartbeat_timeout => '1 min'),
	temporal.register_activity('shop.note', 'elsewhere', task_queue => 'elsewhere') \g /dev/null
CREATE FUNCTION shop.dispatched() RETURNS jsonb LANGUAGE plpgsql AS
$$
BEGIN
	RETURN jsonb_build_array(temporal.execute_activity('elsewhere', 'a'::text),
		temporal.execute_activity('note', 'b'::text, task_queue => 'elsewhere'));
END
$$;
SELECT temporal.register_workflow('shop.dispatched') \g /dev/null
SELECT is(t.launch('dispatched'), '["a 1", "b 1"]', 'activities of the same role on another queue');
SELECT is(t.ways('dispatched'), 'local, queue', 'are run here if it is that of their registration');
SELECT t.check('dispatched');

\echo # cancelled before it has begun

CREATE FUNCTION shop.cancels(activity text, what text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	handle bigint := temporal.start_activity(activity, 'cancelled'::text, activity_id => 'a');
BEGIN
	PERFORM temporal.cancel_handle(handle);
	CASE what
		WHEN 'note' THEN PERFORM temporal.execute_activity('note', 'other'::text);
		WHEN 'step' THEN PERFORM temporal.step('step', 'INSERT INTO shop.log (what) VALUES ($1)', 'step'::text);
		WHEN 'block' THEN
			BEGIN
				PERFORM temporal.step('step', 'INSERT INTO shop.log (what) VALUES ($1)', 'block'::text);
				PERFORM temporal.sleep('1 s');
				RAISE EXCEPTION 'never mind';
			EXCEPTION WHEN raise_exception THEN
				NULL;
			END;
		WHEN 'sleep' THEN PERFORM temporal.sleep('1 s');
		WHEN 'refused' THEN PERFORM temporal.start_activity(activity, 'twice'::text, activity_id => 'a');
		ELSE NULL;
	END CASE;
	PERFORM temporal.await(handle, timeout => CASE what WHEN 'timeout' THEN interval '1 s' END);
	RETURN 'not cancelled';
EXCEPTION WHEN SQLSTATE 'TF012' THEN
	RETURN what;
END
$$;
SELECT temporal.register_workflow('shop.cancels') \g /dev/null
TRUNCATE shop.log;
CREATE TEMP TABLE cancels AS SELECT a || ' ' || t AS id, a, t
	FROM unnest(ARRAY['note', 'beating']) a, unnest(ARRAY['none', 'note', 'step', 'block', 'sleep', 'timeout', 'refused']) t;
SELECT temporal.start_workflow('cancels', inputs => ARRAY[to_jsonb(a), to_jsonb(t)], workflow_id => id) FROM cancels \g /dev/null
SELECT t.tick(), t.skip('1 s') \g /dev/null
SELECT is(t.outcome(id), CASE t WHEN 'refused' THEN 'running' ELSE to_jsonb(t)::text END, 'an activity is cancelled: ' || id) FROM cancels;
SELECT is((SELECT array_agg(what ORDER BY what) FROM shop.log), '{block,block,other,other,step,step}', 'and is not run');
SELECT t.check(id) FROM cancels;
SELECT t.history_is('note none', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 WFT_SCHED, 7 WFT_START, 8 WFT_DONE,'
	' 9 ACT_CANCEL_REQ, 10 ACT_CANCELED, 11 WFT_SCHED, 12 WFT_START, 13 WFT_DONE, 14 WF_COMPLETED', 'history has both');
SELECT t.event_has('note refused', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID"}', 'a command may still be refused');
TRUNCATE shop.log;

\echo # what cannot be done here

CREATE FUNCTION shop.outside(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n';
CREATE FUNCTION shop.collides() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not now' USING errcode = 'serialization_failure'; END $$;
SELECT temporal.register_activity('shop.outside', transactional => false),
	temporal.register_activity('shop.collides', heartbeat_timeout => '1 min') \g /dev/null
CREATE FUNCTION shop.mocked() RETURNS integer LANGUAGE sql AS $$ SELECT temporal.execute_activity('outside', 1)::integer $$;
CREATE FUNCTION shop.collider() RETURNS text LANGUAGE sql AS $$ SELECT temporal.execute_activity('collides')::text $$;
CREATE FUNCTION shop.collides_itself() RETURNS text LANGUAGE sql AS $$ SELECT shop.collides()::text $$;
CREATE FUNCTION shop.behind() RETURNS text LANGUAGE sql AS $$ SELECT temporal.execute_activity('beating', 'a'::text)::text $$;
SELECT temporal.register_workflow('shop.' || name) FROM unnest(ARRAY['mocked', 'collider', 'collides_itself', 'behind']) name \g /dev/null
SELECT temporal.start_workflow(w, workflow_id => 'before ' || w) FROM unnest(ARRAY['collides_itself', 'mocked', 'collider', 'behind']) w \g /dev/null
SELECT temporal.tick() \g /dev/null
SELECT is(t.outcome('before behind'), '"\"a 1\""', 'what cannot be done is in the way of nothing behind it');
SELECT is(t.pending_activity('before ' || w, '1') ->> 'attempt', '1', w || ' is no attempt that has failed') FROM unnest(ARRAY['mocked', 'collider']) w;
SELECT temporal.terminate_workflow('before ' || w) FROM unnest(ARRAY['collides_itself', 'collider']) w \g /dev/null

\echo # what cannot be found out

CREATE FUNCTION shop.blinds() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	ALTER TABLE temporal.registration RENAME TO gone;
	PERFORM temporal.execute_activity('note', 'seen'::text);
	RETURN 'found';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLERRM;
END
$$;
SELECT temporal.register_workflow('shop.blinds', direct_sql => true) \g /dev/null
SELECT is(t.launch('blinds'), 'running', 'the registration of an activity cannot be read, which the function does not decide upon');
SELECT t.event_has('blinds', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE",
	"failure": {"message": "relation \"temporal.registration\" does not exist"}}', 'its workflow task fails');
SELECT t.check('blinds');
SELECT temporal.terminate_workflow('blinds') \g /dev/null

\echo # stand-ins

SELECT temporal.mock_activity('outside', '7') \g /dev/null
SELECT is(t.launch('mocked'), '7', 'a stand-in is run at once');

SELECT * FROM finish();
ROLLBACK;
