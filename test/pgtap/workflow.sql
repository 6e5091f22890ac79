-- Workflows that are functions: registering, activities, timers, signals.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

\echo # registering

CREATE SCHEMA shop;
CREATE FUNCTION shop.two(a integer) RETURNS integer LANGUAGE sql AS 'SELECT a * 2';
CREATE FUNCTION shop.two(a text) RETURNS text LANGUAGE sql AS 'SELECT a || a';
CREATE FUNCTION shop.many() RETURNS SETOF integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION shop.any_kind(a anyelement) RETURNS anyelement LANGUAGE sql AS 'SELECT a';
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.none')$$), '42883 function shop.none does not exist', 'a function must exist');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.two')$$), '42725 function name "shop.two" is not unique', 'a bare name must be unique');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.many')$$), '42809 shop.many() cannot be registered', 'it returns one value');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.any_kind')$$), '42809 shop.any_kind(anyelement) cannot be registered', 'of a known type');
SELECT is(t.error_of($$SELECT temporal.register_workflow('lower(text)')$$),
	CASE WHEN (SELECT proowner FROM pg_proc WHERE oid = 'lower(text)'::regprocedure) = current_user::regrole THEN NULL
		ELSE '42501 function lower(text) is not owned by role "' || current_user || '"' END, 'only the owner registers');
SELECT lives_ok($$SELECT temporal.register_activity('shop.two(integer)', 'double', maximum_attempts => 3,
	start_to_close_timeout => '5 s')$$, 'by signature');
SELECT is((SELECT array_agg(kind || ' ' || name || ' ' || function) FROM temporal.registrations WHERE name = 'double'),
	'{"activity double shop.two(integer)"}', 'it is listed');
SELECT is(t.error_of(format($$SELECT temporal.register_activity('shop.two(integer)', 'double', %s)$$, option)), error, 'refused: ' || option)
FROM (VALUES
	($$start_to_close_timeout => '-1 s'$$, 'TW300 A valid timeout may not be negative.'),
	($$heartbeat_timeout => '-1 s'$$, 'TW300 A valid timeout may not be negative.'),
	($$maximum_attempts => -5$$, 'TW300 MaximumAttempts cannot be negative on retry policy.'),
	($$backoff_coefficient => 'NaN'$$, 'TW300 BackoffCoefficient cannot be less than 1 on retry policy.')) AS v (option, error);
SELECT lives_ok($$SELECT temporal.unregister_activity('double')$$, 'and unregistered');
SELECT is(t.error_of($$SELECT temporal.unregister_activity('double')$$), 'TW500 activity "double" is not registered', 'once');

-- What should not be there is named, with its line.
CREATE FUNCTION shop.careless() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	t timestamptz := now();	-- not random()
BEGIN
	RETURN 'know' || temporal.workflow_now() || random();
END $$;
SELECT lives_ok($$SELECT temporal.register_workflow('shop.careless')$$, 'volatile calls are allowed, and warned of');

\echo # an activity

CREATE TABLE shop.payment (order_id bigint, attempt integer);
CREATE FUNCTION shop.charge(order_id bigint) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	INSERT INTO shop.payment VALUES (order_id);
	IF order_id < 0 THEN
		RAISE EXCEPTION 'card declined' USING DETAIL = 'no money', ERRCODE = 'SH001';
	END IF;
	RETURN 'receipt ' || order_id;
END
$$;
CREATE FUNCTION shop.fulfil(order_id bigint) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	receipt text;
BEGIN
	receipt := temporal.execute_activity('charge', order_id, result => receipt);
	RETURN 'done: ' || receipt;
END
$$;
SELECT temporal.register_workflow('shop.fulfil') \g /dev/null
SELECT temporal.register_activity('shop.charge', maximum_attempts => 2, initial_interval => '1 s') \g /dev/null
SELECT is(t.launch('fulfil', '42'), '"done: receipt 42"', 'a workflow calls an activity');
SELECT t.history_is('fulfil', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 ACT_SCHED, 6 ACT_START, 7 ACT_DONE, 8 WFT_SCHED, 9 WFT_START, 10 WFT_DONE, 11 WF_COMPLETED', 'with the events of any worker');
SELECT t.check('fulfil');
SELECT is((SELECT array_agg(order_id) FROM shop.payment), '{42}', 'it was done once');
SELECT is(t.launch('fulfil', '-1', 'declined'), 'running', 'an attempt fails');
SELECT is((SELECT (attempt, last_failure)::text FROM temporal.pending_activities WHERE workflow_id = 'declined'), '(2,"card declined")', 'and is retried');
SELECT t.skip('1 s') \g /dev/null
SELECT is(t.outcome('declined'), 'TF001 workflow "declined" failed: activity "charge" failed: card declined', 'until the policy gives up');
SELECT t.event_has('declined', 11, '{"failure": {"message": "activity \"charge\" failed",
	"activityFailureInfo": {"activityId": "1", "activityType": {"name": "charge"}},
	"cause": {"message": "card declined", "source": "PostgreSQL", "applicationFailureInfo": {"type": "SH001", "details": ["no money"]}}}}', 'the failure has its cause');
SELECT is((SELECT count(*) FROM shop.payment WHERE order_id = -1), 0::bigint, 'nothing of it was done');
SELECT is(t.launch('fulfil', '"x"', 'bad input'), 'TF001 workflow "bad input" failed: invalid input syntax for type bigint: "x"', 'the input must fit');

\echo # catching

CREATE FUNCTION shop.careful(order_id bigint) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	reason text;
	cause text;
BEGIN
	PERFORM temporal.execute_activity('charge', order_id, maximum_attempts => 1);
	RETURN 'charged';
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	GET STACKED DIAGNOSTICS reason = MESSAGE_TEXT, cause = PG_EXCEPTION_DETAIL;
	RETURN reason || '; type ' || (cause::jsonb #>> '{cause,applicationFailureInfo,type}');
END
$$;
SELECT temporal.register_workflow('shop.careful') \g /dev/null
SELECT is(t.launch('careful', '-5'), '"activity \"charge\" failed: card declined; type SH001"', 'a failure is an exception');
SELECT is(t.launch('careful', '5', 'careful good'), '"charged"', 'that need not happen');

-- WHEN OTHERS catches no suspend; what catches query_canceled is told again.
CREATE FUNCTION shop.greedy(deep boolean) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	caught integer := 0;
	answer text;
BEGIN
	BEGIN
		PERFORM temporal.sleep('1 day');
	EXCEPTION WHEN OTHERS THEN
		caught := caught + 1;
	END;
	IF deep THEN
		BEGIN
			PERFORM temporal.sleep('1 day');
		EXCEPTION WHEN query_canceled THEN
			caught := caught + 1;
		END;
	END IF;
	BEGIN
		answer := temporal.execute_activity('charge', 7, result => answer);
	EXCEPTION WHEN OTHERS OR query_canceled THEN
		answer := 'never mind';
	END;
	RETURN answer || ' ' || caught;
END
$$;
SELECT temporal.register_workflow('shop.greedy') \g /dev/null
SELECT is(t.launch('greedy', 'false'), 'running', 'WHEN OTHERS does not catch a wait');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('greedy'), '"receipt 7 0"', 'nor anything else');
SELECT is(t.launch('greedy', 'true', 'greedier'), 'running', 'WHEN query_canceled does, in vain');
SELECT t.history_is('greedier', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START', 'nothing else was begun');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('greedier'), 'running', 'at the next wait as well');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('greedier'), '"receipt 7 0"', 'and has not changed what follows');
SELECT t.check('greedier');

\echo # timers and signals

CREATE FUNCTION shop.approval(jsonb) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	first jsonb := temporal.await_signal('approve', '7 days');
	amount numeric;
BEGIN
	IF first IS NULL THEN
		RETURN '"nobody"';
	END IF;
	amount := temporal.await_signal('amount', result => amount);
	RETURN jsonb_build_object('input', $1, 'first', first, 'amount', amount, 'more', temporal.poll_signal('approve'),
		'none', temporal.poll_signal('approve'));
END
$$;
SELECT temporal.register_workflow('shop.approval') \g /dev/null
SELECT is(t.launch('approval', '{"a": 1}'), 'running', 'a workflow waits for a signal');
SELECT t.history_is('approval', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START', 'with a timeout');
SELECT temporal.signal_workflow('approval', 'approve') \g /dev/null
SELECT t.tick() \g /dev/null
SELECT t.history_is('approval', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START, 6 WF_SIGNALED, 7 WFT_SCHED, 8 WFT_START, 9 WFT_DONE, 10 TIMER_CANCELED', 'which is cancelled when it comes');
SELECT temporal.signal_workflow('approval', 'approve', '"again"'), temporal.signal_workflow('approval', 'amount', '9.50') \g /dev/null
SELECT t.tick() \g /dev/null
SELECT is(t.outcome('approval')::jsonb, '{"input": {"a": 1}, "first": null, "amount": 9.50, "more": "again", "none": null}',
	'signals come in order, each once; one without input is JSON null');
SELECT t.check('approval');
SELECT is(t.launch('approval', NULL, 'forgotten'), 'running', 'a workflow waits');
SELECT t.skip('7 days') \g /dev/null
SELECT is(t.outcome('forgotten'), '"nobody"', 'until the timeout');
SELECT t.check('forgotten');

CREATE FUNCTION shop.either() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	got record;
	log text := '';
BEGIN
	FOR i IN 1 .. 3 LOOP
		got := temporal.await_signals(ARRAY['a', 'b'], '1 hour');
		log := log || coalesce(got.name || got.input, '-');
	END LOOP;
	RETURN log;
END
$$;
SELECT temporal.register_workflow('shop.either') \g /dev/null
SELECT t.launch('either') \g /dev/null
SELECT temporal.signal_workflow('either', 'b', '1'), temporal.signal_workflow('either', 'c', '2'), temporal.signal_workflow('either', 'a', '3') \g /dev/null
SELECT t.tick(), t.skip('1 hour') \g /dev/null
SELECT is(t.outcome('either'), '"b1a3-"', 'one of several signals');

\echo # what is the same in every replay

CREATE TABLE shop.pass (number serial, seen text);
CREATE FUNCTION shop.chance() RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	facts jsonb := jsonb_build_array(temporal.workflow_now(), temporal.workflow_random(), temporal.workflow_uuid(), temporal.workflow_random());
BEGIN
	PERFORM temporal.sleep('1 hour');
	RETURN facts || jsonb_build_array(temporal.workflow_now() - (facts ->> 0)::timestamptz >= '1 hour',
		(facts ->> 1)::float8 BETWEEN 0 AND 1, facts -> 1 <> facts -> 3);
END
$$;
SELECT temporal.register_workflow('shop.chance') \g /dev/null
SELECT t.launch('chance') \g /dev/null
SELECT t.skip('1 hour') \g /dev/null
SELECT is(jsonb_path_query_array(t.outcome('chance')::jsonb, '$[4 to 6]'), '[true, true, true]', 'time and chance');
SELECT is((t.outcome('chance')::jsonb ->> 0)::timestamptz, (SELECT event_time FROM temporal.history('chance') WHERE event_id = 3), 'workflow_now() is when the task was started');
SELECT matches(t.outcome('chance')::jsonb ->> 2, '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]', 'workflow_uuid() is of version 4');

\echo # values

CREATE TYPE shop.item AS (sku text, n integer);
CREATE FUNCTION shop.echo(a shop.item, b integer[], c date DEFAULT '2001-02-03', d numeric DEFAULT 7) RETURNS shop.item LANGUAGE plpgsql AS
$$ BEGIN RETURN (a.sku || to_char(c, 'YYYY'), a.n + b[2] + d)::shop.item; END $$;
CREATE FUNCTION shop.nothing() RETURNS void LANGUAGE plpgsql AS 'BEGIN END';
CREATE FUNCTION shop.values(a shop.item, b integer[], OUT x text, OUT y jsonb) LANGUAGE plpgsql AS
$$
DECLARE
	back shop.item;
	numbers integer[];
BEGIN
	back := temporal.execute_activity('echo', ARRAY[to_jsonb(a), to_jsonb(b)], result => back);
	back := temporal.execute_activity('echo', ARRAY[to_jsonb(back), '[1, 2]', '"2009-01-01"'], result => back);
	x := back::text;
	y := to_jsonb(temporal.execute_activity('nothing') IS NULL) || to_jsonb(temporal.execute_activity('mirror', '{"a": [1, null]}')) ||
		to_jsonb(temporal.execute_activity('mirror', 'plain'::text)) || to_jsonb(temporal.execute_activity('mirror', b, result => numbers));
END
$$;
CREATE FUNCTION shop.mirror(a jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION shop.literal() RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('mirror', 'plain'); END $$;
SELECT temporal.register_workflow('shop.values'), temporal.register_workflow('shop.literal'), temporal.register_activity('shop.echo'), temporal.register_activity('shop.nothing'), temporal.register_activity('shop.mirror') \g /dev/null
SELECT temporal.start_workflow('values', workflow_id => 'values', inputs => ARRAY['{"sku": "s", "n": 1}', '[10, 20]']::jsonb[]) \g /dev/null
SELECT t.tick() \g /dev/null
SELECT is(t.outcome('values')::jsonb, '{"x": "(s20012009,37)", "y": [true, {"a": [1, null]}, "plain", 10, 20]}', 'rows, arrays, defaults, NULL');
SELECT is(t.launch('literal'), 'TF001 workflow "literal" failed: invalid input: "plain" is not JSON', 'a literal without a type is JSON');

\echo # errors

CREATE FUNCTION shop.broken(how text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	CASE how
		WHEN 'undefined' THEN PERFORM shop.no_such_function();
		WHEN 'internal' THEN RAISE EXCEPTION 'oops' USING ERRCODE = 'XX000';
		WHEN 'write' THEN INSERT INTO shop.payment VALUES (0);
		WHEN 'divide' THEN PERFORM 1 / 0;
		WHEN 'raise' THEN RAISE EXCEPTION 'out of stock';
		WHEN 'busy' THEN RAISE EXCEPTION 'not now' USING ERRCODE = '40001';
	END CASE;
	RETURN 'mended';
END
$$;
SELECT temporal.register_workflow('shop.broken') \g /dev/null
SELECT is(t.launch('broken', '"divide"', 'divide'), 'TF001 workflow "divide" failed: division by zero', 'an error fails the workflow');
SELECT is(t.launch('broken', '"raise"', 'raise'), 'TF001 workflow "raise" failed: out of stock', 'so does one that it raises');
SELECT t.event_has('raise', 5, '{"failure": {"stackTrace": "PL/pgSQL function shop.broken(text) line 8 at RAISE"}}', 'the failure says where');
SELECT is(t.launch('broken', to_jsonb(how), how), 'running', how || ' fails the task only') FROM unnest(ARRAY['undefined', 'internal', 'write']) how;
SELECT t.history_is('undefined', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_FAILED', 'which is recorded once');
SELECT t.event_has('write', 4, '{"cause": "WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE", "failure": {"message": "cannot execute INSERT in a read-only transaction: a workflow function writes by temporal.step() and activities"}}', 'with the reason');
CREATE OR REPLACE FUNCTION shop.broken(how text) RETURNS text LANGUAGE sql AS $$ SELECT 'mended' $$;
SELECT t.skip('1 minute') \g /dev/null
SELECT is(t.outcome(how), '"mended"', how || ' goes on when the function is mended') FROM unnest(ARRAY['undefined', 'internal', 'write']) how;
SELECT t.check(how) FROM unnest(ARRAY['undefined', 'internal', 'write', 'raise']) how;

DROP FUNCTION shop.nothing;
CREATE FUNCTION shop.empty() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM temporal.execute_activity('nothing', maximum_attempts => 1); RETURN NULL; END $$;
SELECT temporal.register_workflow('shop.empty') \g /dev/null
SELECT is(t.launch('empty'), 'TF001 workflow "empty" failed: activity "nothing" failed: function shop.nothing() does not exist', 'an activity whose function is gone');
DROP FUNCTION shop.empty;
SELECT is(t.launch('empty', NULL, 'gone'), 'running', 'a workflow whose function is gone waits for it');
SELECT t.event_has('gone', 4, '{"failure": {"message": "function shop.empty() does not exist"}}', 'and says so');
CREATE FUNCTION shop.empty() RETURNS text LANGUAGE sql AS $$ SELECT temporal.execute_activity('mirror', 1)::text $$;
SELECT t.skip('1 minute') \g /dev/null
SELECT is(t.outcome('gone'), '"1"', 'until it is there again, be it in another language');
SELECT temporal.unregister_workflow('either') \g /dev/null
SELECT is(temporal.workflow_queue('either'), 'default', 'unregistered');
SELECT temporal.start_workflow('either', workflow_id => 'unknown') \g /dev/null
SELECT t.tick() \g /dev/null
SELECT t.event_has('unknown', 4, '{"failure": {"message": "workflow type \"either\" is not registered"}}', 'a type that is not registered');

CREATE FUNCTION shop.endless() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM temporal.sleep(NULL); RETURN ''; EXCEPTION WHEN SQLSTATE 'TW300' THEN RETURN SQLERRM; END $$;
SELECT temporal.register_workflow('shop.endless'), temporal.start_workflow('endless', workflow_id => 'endless'), t.tick() \g /dev/null
SELECT is(temporal.workflow_result('endless'), '"duration is not set"', 'nothing is no duration');
SELECT is(t.error_of('SELECT temporal.sleep(''1 s'')'),
	'55000 temporal.sleep() can only be called by a workflow function', 'calls need a workflow');
CREATE FUNCTION shop.nested() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN temporal.tick(); END';
SELECT temporal.register_workflow('shop.nested') \g /dev/null
SELECT is(t.launch('nested'), 'TF001 workflow "nested" failed: temporal.tick() cannot be called by a workflow or an activity', 'nor can a workflow run others');

\echo # settings of a function are gone after it

CREATE FUNCTION shop.sets() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM set_config('work_mem', '77kB', false); RETURN current_setting('work_mem'); END $$;
SELECT temporal.register_workflow('shop.sets') \g /dev/null
SELECT is(t.launch('sets'), '"77kB"', 'a function sets');
SELECT isnt(current_setting('work_mem'), '77kB', 'for itself');

\echo # functions of another role are not run

CREATE ROLE shop_keeper LOGIN;
SELECT temporal.grant_usage('shop_keeper', 'default', 'worker') \g /dev/null
GRANT ALL ON SCHEMA shop TO shop_keeper;
GRANT ALL ON SCHEMA t TO shop_keeper;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA t TO shop_keeper;
SET LOCAL ROLE shop_keeper;
CREATE FUNCTION shop.evil() RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.evil')$$), 'TW700 task queue "default" serves workflow functions of role "postgres"', 'a queue belongs to one role');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.evil', 'fulfil', 'evil')$$), 'TW700 workflow "fulfil" belongs to role "postgres"', 'so does a name');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.fulfil', 'mine', 'evil')$$), '42501 function shop.fulfil(bigint) is not owned by role "shop_keeper"', 'and a function');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.evil', task_queue => 'evil')$$), NULL, 'a queue of its own');
RESET ROLE;
SELECT is(temporal.workflow_queue('evil'), 'evil', 'the queue of a workflow is known');
SELECT is(t.launch('evil'), 'running', 'nobody else runs it');
SELECT is(t.error_of($$SELECT temporal.register_workflow('shop.evil', task_queue => 'evil')$$), '42501 function shop.evil() is not owned by role "postgres"', 'a superuser does not take it over');

SELECT * FROM finish();
ROLLBACK;
