-- Workflow functions: parallel work, cancellation, undo, versions, replay, and
-- testing them.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

CREATE SCHEMA shop;
CREATE TABLE shop.log (at serial, what text);
CREATE FUNCTION shop.say(what text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF what LIKE 'no %' THEN RAISE EXCEPTION '%', what; END IF;
	INSERT INTO shop.log (what) VALUES (say.what);
	RETURN upper(what);
END
$$;
CREATE FUNCTION shop.said() RETURNS text LANGUAGE sql AS $$ SELECT coalesce(string_agg(what, ' ' ORDER BY at), '') FROM shop.log $$;
SELECT temporal.register_activity('shop.say', maximum_attempts => 1) \g /dev/null

\echo # in parallel

CREATE FUNCTION shop.parallel(n integer) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	handles bigint[];
	slow bigint;
	first bigint;
	results jsonb[];
BEGIN
	FOR i IN 1 .. n LOOP
		handles := handles || temporal.start_activity('say', 'p' || i);
	END LOOP;
	slow := temporal.start_timer('1 hour');
	first := temporal.await_any(handles || slow);
	results := temporal.await_all(handles);
	PERFORM temporal.cancel_handle(slow);
	RETURN to_jsonb(results) || to_jsonb(first = ANY (handles)) || temporal.await(handles[2]) ||
		to_jsonb(coalesce(cardinality(temporal.await_all('{}')), 0));
END
$$;
SELECT temporal.register_workflow('shop.parallel') \g /dev/null
SELECT is(t.launch('parallel', '3'), '["P1", "P2", "P3", true, "P2", 0]', 'activities in parallel');
SELECT is((SELECT string_agg(event_type, ',') FROM temporal.history('parallel') WHERE event_id BETWEEN 5 AND 8),
	'ActivityTaskScheduled,ActivityTaskScheduled,ActivityTaskScheduled,TimerStarted', 'are scheduled together');
SELECT t.check('parallel');
CREATE FUNCTION shop.race() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	a bigint := temporal.start_timer('1 hour');
	b bigint := temporal.start_timer('2 hours');
	first bigint := temporal.await_any(ARRAY[b, a]);
BEGIN
	PERFORM temporal.cancel_handle(b);
	RETURN CASE WHEN first = a THEN 'a' ELSE 'b' END || temporal.await_any(ARRAY[a]);
END
$$;
SELECT temporal.register_workflow('shop.race') \g /dev/null
SELECT t.launch('race'), t.skip('1 hour') \g /dev/null
SELECT is(t.outcome('race'), '"a1"', 'the first of two timers');
SELECT is((SELECT event_type FROM temporal.history('race') WHERE event_id = 11), 'TimerCanceled', 'the other is cancelled');
CREATE FUNCTION shop.lost() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.await(7); END $$;
SELECT temporal.register_workflow('shop.lost') \g /dev/null
SELECT is(t.launch('lost'), 'TF001 workflow "lost" failed: there is no handle 7', 'a handle must exist');

\echo # what comes first

CREATE FUNCTION shop.choose() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	go bigint := temporal.expect_signal('go');
	far bigint := temporal.start_activity('far', task_queue => 'elsewhere');
	late bigint;
	first bigint;
BEGIN
	first := temporal.await_any(ARRAY[far, go], '1 hour');
	IF first IS NULL THEN
		late := temporal.start_timer('1 day');
		RETURN concat_ws(' ', temporal.await(far, timeout => '1 s') IS NULL, temporal.await_all(ARRAY[go, late], '1 s') IS NULL,
			temporal.await_any(ARRAY[go, late]) = go, temporal.await(go), temporal.poll_signal('go'));
	END IF;
	PERFORM temporal.cancel_handle(far);
	RETURN concat_ws(' ', first = go, temporal.await(go), temporal.await(temporal.expect_signal('go'), result => 0, timeout => '1 s'));
END
$$;
SELECT temporal.register_workflow('shop.choose') \g /dev/null
SELECT t.launch('choose', NULL, 'choose'), t.launch('choose', NULL, 'choose late') \g /dev/null
SELECT matches((SELECT waiting_for FROM temporal.workflows WHERE workflow_id = 'choose'), '^activity far, signal go, until ', 'an activity, a signal or a timeout');
SELECT temporal.signal_workflow('choose', 'go', '1'), temporal.signal_workflow('choose', 'go', '2'), t.tick() \g /dev/null
SELECT is(t.outcome('choose'), '"t 1 2"', 'the signal was first');
SELECT is((SELECT count(*) FROM temporal.history('choose') WHERE event_type = 'TimerCanceled'), 1::bigint, 'the timeout is taken back');
SELECT t.skip('1 hour'), t.skip('1 s'), t.skip('1 s') \g /dev/null
SELECT temporal.signal_workflow('choose late', 'go', '3'), temporal.signal_workflow('choose late', 'go', '4'), t.tick() \g /dev/null
SELECT is(t.outcome('choose late'), '"t t t 3 4"', 'the timeouts were');
SELECT is(temporal.replay('shop.choose', id), NULL, id || ' is found again') FROM unnest(ARRAY['choose', 'choose late']) id;
SELECT t.check('choose'); SELECT t.check('choose late');

\echo # side effects

CREATE SEQUENCE shop.number;
CREATE FUNCTION shop.affect() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	n bigint;
	nothing text;
	several jsonb;
BEGIN
	n := temporal.side_effect(nextval('shop.number'), result => n);
	nothing := temporal.side_effect(NULL::text, result => nothing);
	several := temporal.side_effect(ARRAY['1', '"two"', NULL]::jsonb[]);
	PERFORM temporal.sleep('1 s');
	RETURN concat_ws(' ', n, nothing IS NULL, nextval('shop.number') > n, several);
END
$$;
SELECT temporal.register_workflow('shop.affect', direct_sql => true) \g /dev/null
SELECT t.launch('affect'), t.skip('1 s') \g /dev/null
SELECT is(t.outcome('affect')::jsonb #>> '{}', '1 t t [1, "two", null]', 'a value is what it was the first time');
SELECT t.event_has('affect', 5, '{"markerName": "SideEffect", "details": {"data": [1], "side-effect-id": [1]}}', 'it is recorded');
SELECT is(temporal.replay('shop.affect', 'affect'), NULL, 'and found again');
SELECT t.check('affect');

\echo # heartbeats

CREATE FUNCTION shop.climb(top integer) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	reached integer := coalesce((temporal.activity_info() ->> 'heartbeat_details')::integer, 0) + 1;
BEGIN
	PERFORM temporal.heartbeat(reached);
	IF reached < top THEN RAISE EXCEPTION 'tired at %', reached; END IF;
	RETURN 'top after ' || (temporal.activity_info() ->> 'attempt');
END
$$;
CREATE FUNCTION shop.hike() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN temporal.execute_activity('climb', 3, heartbeat_timeout => '1 minute', result => ''::text); END $$;
CREATE FUNCTION shop.loiter() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM temporal.heartbeat(); RETURN ''; END $$;
SELECT temporal.register_activity('shop.climb'), temporal.register_workflow('shop.hike'), temporal.register_workflow('shop.loiter') \g /dev/null
SELECT t.launch('hike') \g /dev/null
SELECT is(heartbeat_details, '1', 'a failed attempt leaves its details') FROM temporal.pending_activities WHERE workflow_id = 'hike';
SELECT t.skip('1 minute'), t.skip('1 minute') \g /dev/null
SELECT is(t.outcome('hike'), '"top after 3"', 'the next one begins there, also in tick()');
SELECT is(t.launch('loiter'), 'TF001 workflow "loiter" failed: temporal.heartbeat() can only be called by an activity function', 'workflows have no heartbeat');
SELECT t.check('hike');

\echo # what has nothing to do with the function

CREATE SEQUENCE shop.stumbled;
CREATE FUNCTION shop.stumble(code text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF nextval('shop.stumbled') % 2 = 1 THEN RAISE EXCEPTION USING ERRCODE = code; END IF;
	RETURN code || ' ' || (temporal.activity_info() ->> 'attempt');
END
$$;
CREATE FUNCTION shop.trip_act(code text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN temporal.execute_activity('stumble', code, result => code); END $$;
CREATE FUNCTION shop.trip_step(code text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN temporal.step('stumble', $q$SELECT shop.stumble_step($1)$q$, code) #>> '{}'; END $$;
CREATE FUNCTION shop.stumble_step(code text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN IF nextval('shop.stumbled') % 2 = 1 THEN RAISE EXCEPTION USING ERRCODE = code; END IF; RETURN code; END $$;
CREATE FUNCTION shop.trip_self(code text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN IF nextval('shop.stumbled') % 2 = 1 THEN RAISE EXCEPTION USING ERRCODE = code; END IF; RETURN code; END $$;
SELECT temporal.register_activity('shop.stumble'), temporal.register_workflow('shop.trip_act'),
	temporal.register_workflow('shop.trip_step'), temporal.register_workflow('shop.trip_self', direct_sql => true) \g /dev/null
CREATE FUNCTION shop.trip(how text, code text) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	id text := how || ' ' || code;
BEGIN
	PERFORM setval('shop.stumbled', 2), temporal.start_workflow(how, to_jsonb(code), id);
	FOR i IN 1 .. 3 LOOP PERFORM t.tick(); END LOOP;
	RETURN t.outcome(id) || ' ' || (SELECT count(*) FROM temporal.history(id) WHERE event_type LIKE '%Failed');
END
$$;
SELECT is(shop.trip('trip_act', code), format('"%s 1" 0', code), code || ' is no attempt of an activity')
FROM unnest(ARRAY['40001', '40P01', '55P03', '53100', '53200', '57P02', '57P03']) code;
SELECT is(shop.trip('trip_self', code), format('"%s" 0', code), code || ' does not fail a workflow task')
FROM unnest(ARRAY['40001', '40P01', '55P03', '53100', '53200', '57P02', '57P03']) code;
SELECT is(shop.trip('trip_step', code), format('"%s" 0', code), code || ' is no attempt of a step')
FROM unnest(ARRAY['40001', '55P03', '53200']) code;
\echo # cancellation

CREATE FUNCTION shop.patient(how text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	BEGIN
		CASE how
			WHEN 'sleep' THEN PERFORM temporal.sleep('1 day');
			WHEN 'signal' THEN PERFORM temporal.await_signal('go', '1 day');
			WHEN 'activity' THEN PERFORM temporal.execute_activity('far', task_queue => 'elsewhere');
		END CASE;
	EXCEPTION WHEN SQLSTATE 'TF020' THEN
		IF how = 'signal' THEN RAISE; END IF;
		RETURN temporal.execute_activity('say', 'clean up after ' || how, result => how) || temporal.is_cancelled();
	END;
	RETURN 'not cancelled';
END
$$;
SELECT temporal.register_workflow('shop.patient') \g /dev/null
SELECT is(t.launch('patient', to_jsonb(how), how), 'running', how || ' waits') FROM unnest(ARRAY['sleep', 'signal', 'activity']) how;
SELECT temporal.cancel_workflow(how) FROM unnest(ARRAY['sleep', 'signal', 'activity']) how \g /dev/null
SELECT t.tick() \g /dev/null
SELECT is(t.outcome('sleep'), '"CLEAN UP AFTER SLEEPtrue"', 'a cancelled workflow can clean up');
SELECT is(t.outcome('activity'), '"CLEAN UP AFTER ACTIVITYtrue"', 'also while it waits for an activity');
SELECT is(t.outcome('signal'), 'TF002 workflow "signal" was canceled', 'not caught, it is canceled');
SELECT t.history_is('signal', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START, 6 WF_CANCEL_REQ, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 TIMER_CANCELED, 11 WF_CANCELED', 'what it waited for is withdrawn');
SELECT is((SELECT event_type FROM temporal.history('activity') WHERE event_id = 10), 'ActivityTaskCancelRequested', 'the activity as well');
SELECT t.check(how) FROM unnest(ARRAY['sleep', 'signal', 'activity']) how;

-- In the very task that has asked for it: its event is not known yet.
CREATE FUNCTION shop.rash() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	handle bigint := temporal.start_activity('say', 'too late'::text, task_queue => 'nobody');
BEGIN
	PERFORM temporal.cancel_handle(handle);
	PERFORM temporal.await(handle);
	RETURN 'done all the same';
EXCEPTION WHEN SQLSTATE 'TF012' THEN
	RETURN SQLERRM;
END
$$;
SELECT temporal.register_workflow('shop.rash') \g /dev/null
SELECT is(t.launch('rash'), '"activity \"say\" was canceled"', 'cancelled at once, it does not begin');
SELECT t.history_is('rash', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 WFT_SCHED, 7 WFT_START, 8 WFT_DONE, 9 ACT_CANCEL_REQ, 10 ACT_CANCELED,'
	' 11 WFT_SCHED, 12 WFT_START, 13 WFT_DONE, 14 WF_COMPLETED', 'another task asks for it');
SELECT is(temporal.replay('shop.rash', 'rash'), NULL, 'which a replay finds');
SELECT t.check('rash');

\echo # undo

TRUNCATE shop.log;
CREATE FUNCTION shop.saga(city text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.execute_activity('say', 'hotel'::text);
	PERFORM temporal.compensate('say', 'cancel hotel'::text);
	PERFORM temporal.execute_activity('say', 'car'::text);
	PERFORM temporal.compensate('say', 'cancel car'::text);
	PERFORM temporal.execute_activity('say', 'no flight to '::text || city);
	RETURN 'booked';
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	PERFORM temporal.run_compensations();
	RETURN SQLERRM;
END
$$;
SELECT temporal.register_workflow('shop.saga') \g /dev/null
SELECT is(t.launch('saga', '"Rome"'), '"activity \"say\" failed: no flight to Rome"', 'a saga');
SELECT is(shop.said(), 'hotel car cancel car cancel hotel', 'is undone in reverse order');

\echo # failures with a type

CREATE FUNCTION shop.busy() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF (temporal.activity_info() ->> 'attempt')::integer = 1 THEN
		PERFORM temporal.fail('too many requests', 'Busy', next_retry_delay => '1 hour');
	END IF;
	PERFORM temporal.fail('gone: ' || (temporal.activity_info() ->> 'idempotency_key' LIKE '%/1'), 'Gone', true, '{"code": 410}');
END
$$;
CREATE FUNCTION shop.ask() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	detail text;
BEGIN
	RETURN temporal.execute_activity('busy', initial_interval => '1 s', result => ''::text);
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	PERFORM temporal.fail('gave up', 'GaveUp', details => detail::jsonb #> '{cause,applicationFailureInfo}');
END
$$;
SELECT temporal.register_workflow('shop.ask'), temporal.register_activity('shop.busy') \g /dev/null
SELECT is(t.launch('ask'), 'running', 'a failure says when to try again');
SELECT t.skip('59 minutes') \g /dev/null
SELECT is(t.outcome('ask'), 'running', 'not before');
SELECT t.skip('1 minute') \g /dev/null
SELECT is(t.outcome('ask'), 'TF001 workflow "ask" failed: gave up', 'or never again');
SELECT t.event_has('ask', 11, '{"failure": {"message": "gave up", "applicationFailureInfo": {"type": "GaveUp", "details": [{"type": "Gone", "details": [{"code": 410}], "nonRetryable": true}]}}}', 'with its details');

\echo # what a workflow says of itself

SELECT temporal.add_search_attribute('Colour', 'Keyword') \g /dev/null
CREATE FUNCTION shop.shows() RETURNS jsonb LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.upsert_search_attributes('{"Colour": "red"}');
	PERFORM temporal.upsert_memo('{"note": 1, "more": [2]}');
	PERFORM temporal.sleep('1 s');
	PERFORM temporal.upsert_memo('{"note": null}');
	RETURN temporal.workflow_info();
END
$$;
SELECT temporal.register_workflow('shop.shows') \g /dev/null
SELECT t.launch('shows'), t.skip('1 s') \g /dev/null
SELECT t.has(t.outcome('shows')::jsonb, '{"namespace": "default", "workflow_id": "shows", "workflow_type": "shows", "task_queue": "default", "attempt": 1, "history_length": 10}', 'workflow_info()');
SELECT is((SELECT (memo, search_attributes)::text FROM temporal.workflows WHERE workflow_id = 'shows'), '("{""more"": [2]}","{""Colour"": ""red""}")', 'memo and search attributes');

\echo # versions

CREATE FUNCTION shop.version() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM temporal.sleep('1 s'); PERFORM temporal.sleep('1 s'); RETURN 'old'; END $$;
SELECT temporal.register_workflow('shop.version') \g /dev/null
SELECT t.launch('version', NULL, 'old'), t.launch('version', NULL, 'between') \g /dev/null
SELECT t.skip('1 s') \g /dev/null
CREATE OR REPLACE FUNCTION shop.version() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM temporal.sleep('1 s');
	IF temporal.patched('greet') THEN
		PERFORM temporal.execute_activity('say', 'hello'::text);
	END IF;
	PERFORM temporal.sleep('1 s');
	RETURN CASE WHEN temporal.patched('greet') THEN 'new' ELSE 'old' END;
END
$$;
SELECT t.launch('version', NULL, 'new') \g /dev/null
SELECT t.skip('1 s'), t.skip('1 s') \g /dev/null
SELECT is(t.outcome('old'), '"old"', 'a run that was past the change goes on without it');
SELECT is(t.outcome('new'), '"new"', 'a new one has it');
SELECT is((SELECT attributes #>> '{details,patch-data,0,id}' FROM temporal.history('new') WHERE event_type = 'MarkerRecorded'), 'greet', 'and a marker');

\echo # replay and nondeterminism

SELECT is(temporal.replay('shop.version', w), NULL, w || ' agrees with its function') FROM unnest(ARRAY['old', 'new']) w;
SELECT is(temporal.replay('shop.shows', 'shows'), NULL, 'so does one with attributes');
SELECT is(temporal.replay('shop.saga', 'saga'), NULL, 'one with failures');
SELECT is(temporal.replay('shop.patient', w), NULL, 'one that was cancelled: ' || w) FROM unnest(ARRAY['sleep', 'signal', 'activity']) w;
CREATE FUNCTION shop.other() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('say', 'x'::text); END $$;
CREATE FUNCTION shop.short() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'short'; END $$;
CREATE FUNCTION shop.long() RETURNS text LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1 .. 9 LOOP PERFORM temporal.sleep('1 s'); END LOOP; RETURN 'long'; END $$;
SELECT is(temporal.replay('shop.other', 'old'), 'it asks for ScheduleActivityTask "say" (activity id "1"), and the history has event 5, TimerStarted "1" in its place', 'another command');
SELECT is(temporal.replay('shop.short', 'old'), 'it has ended with CompleteWorkflowExecution, and the history has event 5, TimerStarted "1" in its place', 'an early end');
SELECT is(temporal.replay('shop.long', 'old'), 'it asks for StartTimer "3", and the history has event 15, WorkflowExecutionCompleted in its place', 'a late one');
SELECT is((SELECT count(*) FROM shop.log WHERE what = 'x'), 0::bigint, 'a replay does nothing');
SELECT t.launch('version', NULL, 'broken') \g /dev/null
CREATE OR REPLACE FUNCTION shop.version() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('say', 'y'::text); END $$;
SELECT is(temporal.replay('shop.version', 'broken') IS NOT NULL, true, 'a changed function is found out beforehand');
SELECT t.skip('1 s') \g /dev/null
SELECT is(t.outcome('broken'), 'running', 'if not, the workflow waits');
SELECT t.event_has('broken', 9, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR", "failure": {"message": "workflow function is not deterministic: it asks for ScheduleActivityTask \"say\" (activity id \"1\"), and the history has event 5, TimerStarted \"1\" in its place"}}', 'and its history says why');

\echo # writing in the body

CREATE TABLE shop.written (what text);
CREATE FUNCTION shop.writer() RETURNS bigint LANGUAGE plpgsql AS
$$
BEGIN
	INSERT INTO shop.written VALUES ('before');
	PERFORM temporal.sleep('1 s');
	INSERT INTO shop.written VALUES ('after');
	RETURN (SELECT count(*) FROM shop.written);
END
$$;
SELECT temporal.register_workflow('shop.writer', direct_sql => true) \g /dev/null
SELECT is(t.launch('writer'), 'running', 'a workflow that may write waits');
SELECT is((SELECT count(*) FROM shop.written), 0::bigint, 'nothing is written yet');
SELECT t.skip('1 s') \g /dev/null
SELECT is(t.outcome('writer'), '2', 'its last pass writes all of it');
SELECT is((SELECT string_agg(what, ' ') FROM shop.written), 'before after', 'once');

\echo # a week in a test

CREATE FUNCTION shop.send(message text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not in a test'; END $$;
CREATE FUNCTION shop.remind() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	answer text;
BEGIN
	answer := temporal.execute_activity('send', 'hello'::text, maximum_attempts => 1, result => answer);
	PERFORM temporal.sleep('7 days');
	RETURN answer || temporal.execute_local_activity('send', 'again'::text, result => answer);
END
$$;
SELECT temporal.register_workflow('shop.remind'), temporal.register_activity('shop.send', transactional => false) \g /dev/null
SELECT temporal.start_workflow('remind', workflow_id => 'remind') \g /dev/null
SELECT temporal.mock_activity('send', '"sent"') \g /dev/null
SELECT temporal.tick(), temporal.skip_time('7 days'), temporal.tick() \g /dev/null
SELECT is(temporal.workflow_result('remind'), '"sentsent"', 'mock_activity() and skip_time()');
SELECT temporal.mock_activity('send', error => 'no network', non_retryable => true) \g /dev/null
SELECT is(t.launch('remind', NULL, 'offline'), 'TF001 workflow "offline" failed: activity "send" failed: no network', 'a mock may fail');

SELECT * FROM finish();
ROLLBACK;
