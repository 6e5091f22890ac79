-- Looking at workflow functions: what they wait for and where, and their time.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

CREATE SCHEMA shop;
CREATE FUNCTION shop.answer(what text) RETURNS text LANGUAGE sql AS $$ SELECT 'answer to ' || what $$;
CREATE FUNCTION shop.fragile(what text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF (temporal.activity_info() ->> 'attempt')::integer < 2 OR what = 'no' THEN RAISE EXCEPTION 'not yet %', what; END IF;
	RETURN what;
END
$$;
SELECT temporal.register_activity('shop.answer'),
	temporal.register_activity('shop.fragile', maximum_attempts => 2, initial_interval => '10 s') \g /dev/null

\echo # what it waits for, and where

CREATE FUNCTION shop.wait_for(what text) RETURNS jsonb LANGUAGE plpgsql AS
$$
BEGIN
	-- line 3
	IF what = 'signal' THEN RETURN temporal.await_signal('approved', '7 days'); END IF;
	IF what = 'signals' THEN RETURN (temporal.await_signals('{approved,denied}')).input; END IF;
	IF what = 'sleep' THEN PERFORM temporal.sleep('1 day'); END IF;
	IF what = 'activity' THEN RETURN temporal.execute_activity('far', task_queue => 'elsewhere'); END IF;
	IF what = 'saga' THEN PERFORM temporal.compensate('far'), temporal.run_compensations(); END IF;
	RETURN to_jsonb(temporal.await_any(ARRAY[temporal.start_activity('far', task_queue => 'elsewhere'), temporal.start_timer('1 hour')]));
END
$$;
CREATE FUNCTION shop.wait(what text) RETURNS jsonb LANGUAGE plpgsql AS
$$
BEGIN
	RETURN shop.wait_for(what);
END
$$;
SELECT temporal.register_workflow('shop.wait') \g /dev/null
SELECT temporal.start_workflow('wait', to_jsonb(w), workflow_id => w) FROM unnest(ARRAY['signal', 'signals', 'sleep', 'activity', 'any']) w \g /dev/null
SELECT is(waiting_for, 'workflow task', 'at first for a worker') FROM temporal.workflows WHERE workflow_id = 'signal';
SELECT t.tick() \g /dev/null
CREATE FUNCTION t.until(workflow_id text, d interval) RETURNS text LANGUAGE sql AS
$$
	SELECT 'until ' || to_char((max(event_time) + d) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00'
	FROM temporal.history(workflow_id) WHERE event_type = 'WorkflowTaskStarted'
$$;
CREATE FUNCTION t.waiting(id text) RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws(' @ ', waiting_for, waiting_at) FROM temporal.workflows WHERE workflow_id = id $$;
SELECT is(t.waiting('signal'), 'signal approved, ' || t.until('signal', '7 days') || ' @ shop.wait_for(text) line 4, shop.wait(text) line 3', 'for a signal');
SELECT is(t.waiting('signals'), 'signal approved or denied @ shop.wait_for(text) line 5, shop.wait(text) line 3', 'for one of several');
SELECT is(t.waiting('sleep'), 'timer 1 ' || t.until('sleep', '1 day') || ' @ shop.wait_for(text) line 6, shop.wait(text) line 3', 'for a timer');
SELECT is(t.waiting('activity'), 'activity far @ shop.wait_for(text) line 7, shop.wait(text) line 3', 'for an activity');
SELECT is(t.waiting('any'), 'activity far, timer 1 ' || t.until('any', '1 hour') || ' @ shop.wait_for(text) line 9, shop.wait(text) line 3', 'for what comes first');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.waiting('sleep'), 'activity far, timer 2 ' || t.until('sleep', '1 hour') || ' @ shop.wait_for(text) line 9, shop.wait(text) line 3', 'it goes on');
SELECT temporal.signal_workflow('signals', 'denied'), t.tick() \g /dev/null
SELECT is(t.waiting('signals'), '', 'a workflow that has ended waits for nothing');
SELECT t.launch('wait', '"saga"', 'saga') \g /dev/null
SELECT is(t.waiting('saga'), 'activity far @ shop.wait_for(text) line 8, shop.wait(text) line 3', 'functions of the extension are no place');
CREATE FUNCTION shop.nap() RETURNS text LANGUAGE sql AS $$ SELECT temporal.sleep('1 hour'); SELECT 'x' $$;
SELECT temporal.register_workflow('shop.nap') \g /dev/null
SELECT t.launch('nap') \g /dev/null
SELECT is((SELECT waiting_at FROM temporal.workflows WHERE workflow_id = 'nap'), '"nap" statement 1', 'a function in SQL');

\echo # workers elsewhere do not say

SELECT t.start('w') \g /dev/null
SELECT t.poll('w') AS task \gset
SELECT t.complete(:'task', t.start_timer('a', '1s')) \g /dev/null
SELECT is(t.waiting('w'), '1 timers', 'one sees what is pending');

\echo # one row an activity, timer, signal, step

CREATE FUNCTION shop.busy() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	gone bigint := temporal.start_timer('1 day');
	later bigint;
BEGIN
	PERFORM temporal.step('note', 'SELECT 42');
	PERFORM temporal.execute_activity('answer', 'all'::text);
	PERFORM temporal.execute_activity('fragile', 'yes'::text);
	PERFORM temporal.sleep('1 minute');
	PERFORM temporal.cancel_handle(gone);
	PERFORM temporal.await_signal('go');
	later := temporal.start_activity('far', task_queue => 'elsewhere');
	BEGIN
		PERFORM temporal.execute_activity('fragile', 'no'::text);
	EXCEPTION WHEN SQLSTATE 'TF011' THEN
		PERFORM temporal.await(later);
	END;
	RETURN 'done';
END
$$;
SELECT temporal.register_workflow('shop.busy') \g /dev/null
SELECT t.launch('busy'), t.skip('10 s'), t.skip('1 minute'), temporal.signal_workflow('busy', 'go', '{"a": 1}'), t.tick(), t.skip('10 s') \g /dev/null
SELECT results_eq($$ SELECT concat_ws(' ', kind, name, state, attempts, duration >= '9 s', input, result, failure) FROM temporal.timeline('busy') $$, ARRAY[
	'timer 1 Canceled t',
	'step note Completed 1 42',
	'activity answer Completed 1 f "all" "answer to all"',
	'activity fragile Completed 2 t "yes" "yes"',
	'timer 2 Fired t',
	'signal go Received {"a": 1}',
	'activity far Scheduled 1',
	'activity fragile Failed 2 t "no" not yet no'], 'the timeline');
SELECT is((SELECT string_agg(id, ' ') FROM temporal.timeline('busy') WHERE kind = 'activity'), '1 2 3 4', 'with ids');
SELECT is((SELECT l.start_time - w.start_time FROM temporal.timeline('busy') l, temporal.workflows w WHERE workflow_id = 'busy' AND kind = 'signal') > '69 s', true, 'and times');
SELECT temporal.terminate_workflow('busy') \g /dev/null
SELECT is((SELECT state FROM temporal.timeline('busy') WHERE name = 'far'), 'Abandoned', 'what was going on when it was closed');

\echo # a workflow task that fails

SELECT temporal.start_workflow('ghost', workflow_id => 'ghost', task_queue => 'default'), t.tick() \g /dev/null
SELECT is((SELECT waiting_for FROM temporal.workflows WHERE workflow_id = 'ghost'),
	'workflow task, attempt 2: WorkflowTaskFailed WorkflowWorkerUnhandledFailure: workflow type "ghost" is not registered', 'it is seen why');
SELECT is((SELECT count(*) FROM temporal.status() WHERE problem = 'failing workflow tasks'), 0::bigint, 'once is not a problem');
SELECT t.skip('1 minute') FROM generate_series(1, 3) \g /dev/null
SELECT results_eq($$ SELECT detail, fix FROM temporal.status() WHERE problem = 'failing workflow tasks' $$, $$ VALUES (
	'open runs: 1, one of them workflow "ghost", attempt 5: WorkflowTaskFailed WorkflowWorkerUnhandledFailure: workflow type "ghost" is not registered',
	'SELECT * FROM temporal.workflows WHERE waiting_for LIKE ''workflow task, attempt%''') $$, 'again and again is');
SELECT is((SELECT string_agg(workflow_id, ' ') FROM temporal.workflows WHERE waiting_for LIKE 'workflow task, attempt%'), 'ghost', 'the query finds it');
CREATE FUNCTION shop.ghost() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.await_signal('go', result => ''::text); END $$;
SELECT temporal.register_workflow('shop.ghost'), t.skip('10 minutes') \g /dev/null
SELECT matches((SELECT waiting_for FROM temporal.workflows WHERE workflow_id = 'ghost'), '^signal go', 'once it is mended it goes on');
SELECT is((SELECT count(*) FROM temporal.status() WHERE problem = 'failing workflow tasks'), 0::bigint, 'and is no problem');
SELECT t.check('ghost');
SELECT t.start('silent'), t.poll('silent'), t.skip('1 minute') \g /dev/null
SELECT is((SELECT waiting_for FROM temporal.workflows WHERE workflow_id = 'silent'), 'workflow task, attempt 2: WorkflowTaskTimedOut StartToClose', 'nobody has answered');
SELECT t.fail(t.poll('silent'), 'WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR') \g /dev/null
SELECT is((SELECT waiting_for FROM temporal.workflows WHERE workflow_id = 'silent'), 'workflow task, attempt 3: WorkflowTaskFailed NonDeterministicError: task failed', 'somebody has');
SELECT t.check('silent');
SELECT t.check('signal');
SELECT * FROM finish();
ROLLBACK;
