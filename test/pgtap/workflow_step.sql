-- Local steps of workflow functions: SQL and local activities.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

CREATE SCHEMA shop;
CREATE TABLE shop.stock (sku text PRIMARY KEY, n integer CHECK (n >= 0));
INSERT INTO shop.stock VALUES ('apple', 5);
CREATE TABLE shop.log (at serial, what text);

\echo # steps without a wait

CREATE FUNCTION shop.count_down(times integer) RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	n jsonb;
BEGIN
	FOR i IN 1 .. times LOOP
		n := temporal.step('take', 'UPDATE shop.stock SET n = n - 1 WHERE sku = $1 RETURNING n', 'apple'::text);
	END LOOP;
	RETURN n || temporal.step('count', 'INSERT INTO shop.log (what) VALUES ($1), ($2)', 'a'::text, 'b'::text)
		|| temporal.step('pair', 'SELECT 1 AS a, $1 AS b', now() IS NOT NULL)
		|| coalesce(temporal.step('none', 'SELECT 1 WHERE false'), '"none"');
END
$$;
SELECT temporal.register_workflow('shop.count_down') \g /dev/null
SELECT is(t.launch('count_down', '3'), '[2, 2, {"a": 1, "b": true}, "none"]', 'steps return what their statements do');
SELECT t.history_is('count_down', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 MARKER, 6 MARKER, 7 MARKER, 8 MARKER, 9 MARKER, 10 MARKER, 11 WF_COMPLETED',
	'each leaves a marker, all in one workflow task');
SELECT t.event_has('count_down', 5, '{"markerName": "core_local_activity", "details": {"result": [4]}}', 'with its result');
SELECT is(t.event('count_down', 5) #>> '{details,data,0,activity_type}', 'take', 'and its name');
SELECT t.check('count_down');
SELECT is((SELECT n FROM shop.stock), 2, 'each was done once');

\echo # steps, then a wait

CREATE FUNCTION shop.reserve(ok boolean) RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	n integer;
BEGIN
	PERFORM temporal.step('log 1', $q$INSERT INTO shop.log (what) VALUES ('reserve')$q$);
	n := temporal.execute_local_activity('take', 'apple'::text, result => n);
	PERFORM temporal.sleep('1 day');
	n := temporal.execute_local_activity('take', 'apple'::text, result => n);
	RETURN n;
END
$$;
CREATE FUNCTION shop.take(sku text) RETURNS integer LANGUAGE sql AS 'UPDATE shop.stock s SET n = n - 1 WHERE s.sku = take.sku RETURNING n';
SELECT temporal.register_workflow('shop.reserve'), temporal.register_activity('shop.take') \g /dev/null
SELECT is(t.launch('reserve', 'true'), 'running', 'a workflow waits');
SELECT is((SELECT n FROM shop.stock), 1, 'what it did before is done');
SELECT t.history_is('reserve', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 MARKER, 6 MARKER, 7 TIMER_START', 'and in the history');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('reserve'), '"0"', 'it goes on');
SELECT is((SELECT count(*) FROM shop.log WHERE what = 'reserve'), 1::bigint, 'nothing was done twice');
SELECT t.check('reserve');

\echo # a step that fails

UPDATE shop.stock SET n = 1;
CREATE FUNCTION shop.greedy() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	n integer := 0;
BEGIN
	LOOP
		BEGIN
			PERFORM temporal.step('take', $q$UPDATE shop.stock SET n = n - 1$q$);
			n := n + 1;
		EXCEPTION WHEN SQLSTATE 'TF011' THEN
			RETURN format('%s, then %s', n, SQLERRM);
		END;
	END LOOP;
END
$$;
SELECT temporal.register_workflow('shop.greedy') \g /dev/null
SELECT matches(t.launch('greedy'), '"1, then step .*take.* failed: new row for relation .*stock.* violates check constraint', 'is an exception');
SELECT t.history_is('greedy', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 MARKER, 6 MARKER, 7 WF_COMPLETED', 'and a marker');
SELECT t.event_has('greedy', 6, '{"failure": {"source": "PostgreSQL", "applicationFailureInfo": {"type": "23514"}}}', 'with the failure');
SELECT is((SELECT n FROM shop.stock), 0, 'the other one is done');

-- Rolling back a block does not roll back its steps.
CREATE FUNCTION shop.regret() RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	BEGIN
		PERFORM temporal.step('add', 'UPDATE shop.stock SET n = n + 10');
		RAISE EXCEPTION 'never mind';
	EXCEPTION WHEN raise_exception THEN
		PERFORM temporal.step('log', $q$INSERT INTO shop.log (what) VALUES ('regret')$q$);
	END;
	RETURN 'done';
END
$$;
SELECT temporal.register_workflow('shop.regret') \g /dev/null
SELECT is(t.launch('regret'), '"done"', 'a block with a step is rolled back');
SELECT is((SELECT n FROM shop.stock), 10, 'the step stays');
SELECT is((SELECT count(*) FROM shop.log WHERE what = 'regret'), 1::bigint, 'as does that of the handler');
SELECT t.history_is('regret', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 MARKER, 6 MARKER, 7 WF_COMPLETED', 'both are recorded');

-- Neither does the failure of the workflow.
CREATE FUNCTION shop.doomed() RETURNS text LANGUAGE plpgsql AS
$$ BEGIN PERFORM temporal.step('add', 'UPDATE shop.stock SET n = n + 10'); RAISE EXCEPTION 'the end'; END $$;
SELECT temporal.register_workflow('shop.doomed') \g /dev/null
SELECT is(t.launch('doomed'), 'TF001 workflow "doomed" failed: the end', 'a workflow fails after a step');
SELECT is((SELECT n FROM shop.stock), 20, 'which stays');
SELECT t.history_is('doomed', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 MARKER, 6 WF_FAILED', 'and is recorded');

\echo # a step that is tried again

CREATE TABLE shop.ready (what text);
CREATE FUNCTION shop.need(name text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF NOT EXISTS (SELECT FROM shop.ready r WHERE r.what = name) THEN RAISE EXCEPTION 'no %', name; END IF;
	RETURN name || ' it is';
END
$$;
CREATE FUNCTION shop.patient(how text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF how = 'local' THEN
		RETURN temporal.execute_local_activity('need', how, initial_interval => '10 s', backoff_coefficient => 2, maximum_attempts => 4, result => how);
	ELSIF how IN ('registered', 'never') THEN
		RETURN temporal.execute_local_activity('need', how, result => how);
	END IF;
	PERFORM temporal.retry_steps(initial_interval => '10 s', non_retryable_error_types => CASE how WHEN 'bad' THEN '{P0001}'::text[] END);
	how := temporal.step('need', 'SELECT shop.need($1)', how) #>> '{}';
	PERFORM temporal.retry_steps();
	RETURN how || coalesce(temporal.step('no', 'SELECT shop.need($1)', 'more'::text) #>> '{}', '');
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	RETURN how || ' but ' || SQLERRM;
END
$$;
SELECT temporal.register_workflow('shop.patient'),
	temporal.register_activity('shop.need', initial_interval => '1 s', backoff_coefficient => 1, maximum_attempts => 2) \g /dev/null
SELECT temporal.start_workflow('patient', to_jsonb(h), workflow_id => h) FROM unnest(ARRAY['local', 'registered', 'never', 'step', 'bad']) h \g /dev/null
SELECT t.tick() \g /dev/null
SELECT t.history_is('local', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 MARKER, 6 TIMER_START', 'a failed attempt leaves a marker and a timer');
SELECT t.event_has('local', 5, '{"failure": {"message": "no local"}}', 'with its failure');
SELECT is(t.event('local', 5) #> '{details,data,0}' #- '{complete_time}', '{"seq": 1, "attempt": 1, "activity_id": "1", "activity_type": "need",
	"backoff": {"seconds": 10, "nanos": 0}, "original_schedule_time": null}', 'and how long to wait, as SDKs write it');
SELECT ok(t.event_time('local', 5) - (to_timestamp((d ->> 'seconds')::bigint) + (d ->> 'nanos')::bigint / 1000 * interval '1 us') BETWEEN '0' AND '10 s',
	'and when it ended') FROM (SELECT t.event('local', 5) #> '{details,data,0,complete_time}') e(d);
SELECT is(t.event('local', 6) ->> 'startToFireTimeout', '10s', 'so does the timer');
SELECT matches(waiting_for, '^attempt 2 of step need, until ', 'one sees it') FROM temporal.workflows WHERE workflow_id = 'local';
SELECT is(t.outcome('bad'), '"bad but step \"need\" failed: no bad"', 'an error of a type that is not to be tried again');
INSERT INTO shop.ready VALUES ('registered');
SELECT t.skip('10 s') \g /dev/null
SELECT is(t.outcome('registered'), '"registered it is"', 'the policy of the registration');
SELECT is(t.outcome('never'), '"never but step \"need\" failed: no never"', 'attempts come to an end');
SELECT is(t.event('local', 11) #> '{details,data,0,backoff}', '{"seconds": 20, "nanos": 0}', 'the pause grows');
SELECT is(t.event('local', 11) #>> '{details,data,0,attempt}', '2', 'with the attempts');
INSERT INTO shop.ready VALUES ('local'), ('step');
SELECT t.skip('20 s') \g /dev/null
SELECT is(t.outcome('local'), '"local it is"', 'it succeeds at last');
SELECT is((SELECT string_agg(state || attempts, ' ') FROM temporal.timeline('local') WHERE kind = 'step'), 'Failed1 Failed2 Completed3', 'in three attempts');
SELECT is(t.outcome('step'), '"step it is but step \"no\" failed: no more"', 'so does a step, until it is not to be tried again');
SELECT is(temporal.replay('shop.patient', h), NULL, h || ' is found again') FROM unnest(ARRAY['local', 'registered', 'never', 'step', 'bad']) h;
SELECT t.check('local');
SELECT t.launch('patient', '"cancelled"', 'cancelled'), temporal.cancel_workflow('cancelled'), t.tick() \g /dev/null
SELECT matches(t.outcome('cancelled'), '^TF002 ', 'it is cancelled while it waits for another attempt');

\echo # many steps

CREATE FUNCTION shop.many(n integer, pause boolean) RETURNS integer LANGUAGE plpgsql AS
$$
DECLARE
	sum integer := 0;
BEGIN
	FOR i IN 1 .. n LOOP
		sum := sum + temporal.step('add', 'SELECT $1', i)::integer;
	END LOOP;
	IF pause THEN PERFORM temporal.sleep('1 s'); END IF;
	RETURN sum;
END
$$;
SELECT temporal.register_workflow('shop.many') \g /dev/null
SELECT temporal.start_workflow('many', inputs => ARRAY['1000', 'false']::jsonb[], workflow_id => 'many'),
	temporal.start_workflow('many', inputs => ARRAY['500', 'true']::jsonb[], workflow_id => 'many pauses') \g /dev/null
SELECT t.tick() \g /dev/null
SELECT is(t.outcome('many'), '500500', 'a thousand steps');
SELECT is(t.outcome('many pauses'), 'running', 'many steps and a wait');
SELECT is((SELECT count(*) FROM temporal.history('many pauses') WHERE event_type = 'MarkerRecorded'), 500::bigint, 'which are recorded');
SELECT t.skip('1 s') \g /dev/null
SELECT is(t.outcome('many pauses'), '125250', 'and found again');

\echo # a query that has been run before

CREATE SCHEMA north;
CREATE SCHEMA south;
CREATE TABLE north.place AS SELECT 'north' AS name;
CREATE TABLE south.place AS SELECT 'south' AS name;
CREATE FUNCTION shop.in_north() RETURNS text LANGUAGE plpgsql SET search_path = north, pg_temp AS
$$ BEGIN RETURN temporal.step('where', 'SELECT * FROM place') #>> '{}'; END $$;
CREATE FUNCTION shop.in_south() RETURNS text LANGUAGE plpgsql SET search_path = south, pg_temp AS
$$ BEGIN RETURN temporal.step('where', 'SELECT * FROM place') #>> '{}'; END $$;
SELECT temporal.register_workflow('shop.in_north'), temporal.register_workflow('shop.in_south') \g /dev/null
SELECT is(t.launch('in_north', NULL, 'north'), '"north"', 'means what it meant');
SELECT is(t.launch('in_south', NULL, 'south'), '"south"', 'and elsewhere something else');
ALTER TABLE north.place ALTER name TYPE integer USING 7;
SELECT is(t.launch('in_north', NULL, 'north again'), '"7"', 'as the table is now');
DROP TABLE north.place;
SELECT matches(t.launch('in_north', NULL, 'nowhere'), 'relation "place" does not exist', 'or is not any more');
CREATE FUNCTION shop.in_either() RETURNS text LANGUAGE plpgsql SET search_path = north, south, pg_temp AS
$$ BEGIN RETURN temporal.step('where', 'SELECT * FROM place') #>> '{}'; END $$;
SELECT temporal.register_workflow('shop.in_either') \g /dev/null
SELECT is(t.launch('in_either', NULL, 'either'), '"south"', 'the first that there is');
CREATE TABLE north.place AS SELECT 'new' AS name;
SELECT is(t.launch('in_either', NULL, 'either again'), '"new"', 'and now there is another one before it');

\echo # functions that are called again

CREATE FUNCTION shop.both(n integer, times integer DEFAULT 2) RETURNS integer LANGUAGE plpgsql AS
$$
BEGIN
	IF n < 0 THEN
		RAISE EXCEPTION 'too low';
	ELSIF n < 10 THEN
		RETURN n * times;
	END IF;
	RETURN temporal.execute_local_activity('both', n - 10, NULL::integer) + times;
END
$$;
SELECT temporal.register_workflow('shop.both'), temporal.register_activity('shop.both') \g /dev/null
SELECT is(t.launch('both', '12', 'both 1'), '6', 'one is called in a call of itself');
SELECT is(t.launch('both', '13', 'both 2'), '8', 'and again');
SELECT matches(t.launch('both', '-1', 'both 3'), 'too low', 'it may fail');
SELECT is(t.launch('both', '4', 'both 4'), '8', 'and not the next time');
CREATE OR REPLACE FUNCTION shop.both(n integer, times integer DEFAULT 3) RETURNS integer LANGUAGE sql AS 'SELECT -n * times';
SELECT is(t.launch('both', '4', 'both 5'), '-12', 'nor is it what it was before');
SELECT is(t.launch('both', '5', 'both 6'), '-15', 'in another language, twice');
CREATE FUNCTION shop.inner_default(a integer, b text DEFAULT 'five', c integer DEFAULT 1) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN concat_ws(' ', a, b, c); END $$;
CREATE FUNCTION shop.with_defaults(x text DEFAULT shop.inner_default(1) || shop.inner_default(c => 3, a => 2), y text DEFAULT 'y') RETURNS text
LANGUAGE plpgsql AS $$ BEGIN RETURN x || y; END $$;
SELECT temporal.register_workflow('shop.with_defaults') \g /dev/null
SELECT is(t.launch('with_defaults'), '"1 five 12 five 3y"', 'defaults may call functions with defaults');
CREATE TABLE shop.numbered (a integer DEFAULT 1, b integer);
CREATE FUNCTION shop.number() RETURNS integer LANGUAGE sql AS 'INSERT INTO shop.numbered (b) VALUES (0) RETURNING a';
CREATE FUNCTION shop.renumber() RETURNS text LANGUAGE plpgsql AS
$$
DECLARE
	first integer;
BEGIN
	first := temporal.execute_local_activity('number', result => first);
	PERFORM temporal.step('change', 'ALTER TABLE shop.numbered ALTER a SET DEFAULT 2');
	RETURN concat_ws(' ', first, temporal.execute_local_activity('number', result => first));
END
$$;
SELECT temporal.register_activity('shop.number'), temporal.register_workflow('shop.renumber') \g /dev/null
SELECT is(t.launch('renumber'), '"1 2"', 'a table may change between two calls');
CREATE FUNCTION shop.kinds(a smallint, b bigint, c boolean, d text) RETURNS text LANGUAGE sql AS
$$ SELECT concat_ws(' ', a, b, c, d) $$;
SELECT temporal.register_activity('shop.kinds') \g /dev/null
CREATE FUNCTION shop.of_kinds(d text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN temporal.execute_local_activity('kinds',
	ARRAY[to_jsonb((-7)::smallint), to_jsonb(9223372036854775807), to_jsonb(false), to_jsonb(d)], NULL::text); END $$;
SELECT temporal.register_workflow('shop.of_kinds') \g /dev/null
SELECT is(t.launch('of_kinds', to_jsonb(d), 'of kinds ' || n), to_jsonb('-7 9223372036854775807 f ' || d)::text, 'values stay what they are')
FROM (VALUES (1, '"quoted" \ é'), (2, repeat('long ', 5000))) v (n, d);

\echo # values of any type, live and replayed

CREATE TABLE shop.value (at integer PRIMARY KEY, type text, literal text);
INSERT INTO shop.value SELECT row_number() OVER (), * FROM (VALUES
	('smallint', '-32768'), ('smallint', '32767'), ('integer', '-2147483648'), ('integer', '2147483647'), ('integer', '0'),
	('bigint', '-9223372036854775808'), ('bigint', '9223372036854775807'), ('bigint', '999999999999999999'),
	('boolean', 'true'), ('boolean', 'false'), ('text', ''), ('text', 'null'), ('text', '-17'), ('text', E'"\\\t é'),
	('text', repeat('long "', 5000)), ('jsonb', '17'), ('jsonb', '"text"'), ('jsonb', '{"a": [null, 1.50]}'), ('numeric', '-0.10'),
	('numeric', '170000000000000000000000'), ('text', NULL), ('integer', NULL), ('jsonb', NULL)) v (type, literal);
SELECT format('CREATE FUNCTION shop.%I(v %s) RETURNS %2$s LANGUAGE plpgsql AS $f$ BEGIN RETURN v; END $f$', 'same ' || type, type),
	format('SELECT temporal.register_activity(%L, %L)', format('shop.%I', 'same ' || type), 'same ' || type)
FROM (SELECT DISTINCT type FROM shop.value) v \gexec
SELECT format('CREATE FUNCTION shop.see_values() RETURNS text[] LANGUAGE plpgsql AS $f$
	DECLARE
		seen text[];
	BEGIN
		%s
		PERFORM temporal.sleep(%L);
		RETURN seen;
	END $f$', string_agg(format('seen := seen || temporal.execute_local_activity(%L, %L::%s, NULL::%3$s)::text;',
		'same ' || type, literal, type), E'\n' ORDER BY at), '1 day')
FROM shop.value \gexec
SELECT temporal.register_workflow('shop.see_values') \g /dev/null
SELECT is(t.launch('see_values'), 'running', 'activities of many types');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('see_values')::jsonb, (SELECT jsonb_agg(literal ORDER BY at) FROM shop.value), 'are told the same when they are replayed');
SELECT is(t.event('see_values', 4 + at::integer) #> '{details,result,0}',
	CASE WHEN type = 'text' THEN to_jsonb(literal) ELSE literal::jsonb END, format('%s %s is JSON in history', type, left(literal, 10)))
FROM shop.value WHERE literal IS NOT NULL ORDER BY at;
SELECT t.check('see_values');
CREATE DOMAIN shop.count AS integer CHECK (VALUE > 0);
CREATE TABLE shop.stored AS SELECT repeat('stored ', 5000) AS what;
CREATE FUNCTION shop.nothing() RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE FUNCTION shop.see_steps() RETURNS jsonb LANGUAGE plpgsql AS
$$
DECLARE
	seen jsonb := jsonb_build_array(temporal.step('number', 'SELECT 9007199254740993'), temporal.step('text', 'SELECT $1', 'x'::text),
		temporal.step('boolean', 'SELECT false'), temporal.step('null', 'SELECT NULL::integer'), temporal.step('stored', 'SELECT what FROM shop.stored'),
		temporal.execute_local_activity('same integer', 5, NULL::shop.count), temporal.execute_local_activity('nothing', result => NULL::text));
BEGIN
	PERFORM temporal.sleep('1 day');
	RETURN seen;
END
$$;
SELECT temporal.register_activity('shop.nothing'), temporal.register_workflow('shop.see_steps') \g /dev/null
SELECT is(t.launch('see_steps'), 'running', 'steps of many types');
SELECT t.skip('1 day') \g /dev/null
SELECT is(t.outcome('see_steps')::jsonb, (SELECT jsonb_build_array(9007199254740993, 'x', false, NULL, what, 5, NULL) FROM shop.stored),
	'are told the same when they are replayed, too');
SELECT t.check('see_steps');
CREATE FUNCTION shop.see_value(what jsonb) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	RETURN temporal.execute_local_activity('same ' || (what ->> 'type'), what -> 'value');
EXCEPTION WHEN SQLSTATE 'TF011' THEN
	RETURN SQLERRM;
END
$$;
SELECT temporal.register_workflow('shop.see_value') \g /dev/null
SELECT is(t.launch('see_value', jsonb_build_object('type', type, 'value', v::jsonb), 'see ' || n), to_jsonb(seen)::text, format('%s as a %s', v, type))
FROM (VALUES (1, 'smallint', '32768', 'step "same smallint" failed: value "32768" is out of range for type smallint'),
	(2, 'integer', '-2147483649', 'step "same integer" failed: value "-2147483649" is out of range for type integer'),
	(3, 'bigint', '9223372036854775808', 'step "same bigint" failed: value "9223372036854775808" is out of range for type bigint'),
	(4, 'integer', '1.5', 'step "same integer" failed: invalid input syntax for type integer: "1.5"'),
	(5, 'integer', '-0', '0'), (6, 'integer', '"17"', '17'), (7, 'text', '17', '"17"'), (8, 'smallint', '100', '100')) v (n, type, v, seen);

\echo # what is wrong with a step

CREATE FUNCTION shop.wrong(query text) RETURNS text LANGUAGE plpgsql AS
$$ BEGIN RETURN temporal.step('wrong', nullif(query, '')); EXCEPTION WHEN SQLSTATE 'TF011' OR SQLSTATE 'TW300' THEN RETURN SQLERRM; END $$;
SELECT temporal.register_workflow('shop.wrong') \g /dev/null
SELECT is(t.launch('wrong', '""', 'no query'), '"query of step \"wrong\" is not set"', 'no query');
SELECT is(t.launch('wrong', to_jsonb(query), query), to_jsonb('step "wrong" failed: ' || message)::text, message) FROM (VALUES
	('SELECT 1 FROM generate_series(1, 2)', 'query of a step returned more than one row'),
	('SELECT nothing', 'column "nothing" does not exist'),
	('SELECT temporal.sleep(''1 s'')', 'temporal.sleep() can only be called by a workflow function'),
	('COMMIT', 'query of step "wrong" begins or ends a transaction')) q (query, message);

SELECT * FROM finish();
ROLLBACK;
