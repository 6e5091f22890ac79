-- Workflows are ended by an error at each call that has to wait.  Whatever user
-- code does with that error, the workflow goes the same way.
--
-- Each call is put into blocks that catch in different ways, in PL/pgSQL and in
-- PL/Python; what follows must be what follows if nothing catches.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();

CREATE SCHEMA shop;
CREATE TABLE shop.log (workflow_id text, what text);
CREATE FUNCTION shop.act(what text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF what LIKE 'no %' THEN RAISE EXCEPTION '%', what; END IF;
	INSERT INTO shop.log VALUES (temporal.activity_info() ->> 'workflow_id', what);
	RETURN what;
END
$$;
CREATE FUNCTION shop.local(what text) RETURNS text LANGUAGE sql AS 'SELECT what';
SELECT temporal.register_activity('shop.act'), temporal.register_activity('shop.local') \g /dev/null

-- Expressions of type text that have to wait.
CREATE TABLE shop.call (name text PRIMARY KEY, expression text);
INSERT INTO shop.call VALUES
	('execute_activity', $$temporal.execute_activity('act', 'a'::text) ->> 0$$),
	('activity_retried', $$temporal.execute_activity('flaky', 'a'::text, initial_interval => '1 s') ->> 0$$),
	('await', $$temporal.await(temporal.start_activity('act', 'a'::text)) ->> 0$$),
	('await_timer', $$coalesce(temporal.await(temporal.start_timer('1 h')) ->> 0, 'none')$$),
	('await_all', $$temporal.await_all(ARRAY[temporal.start_activity('act', 'a'::text), temporal.start_timer('1 h')])::text$$),
	('await_any', $$temporal.await_any(ARRAY[temporal.start_timer('2 h'), temporal.start_timer('1 h')])::text$$),
	('step', $$temporal.step('s', 'SELECT 1')::text$$),
	('execute_local_activity', $$temporal.execute_local_activity('local', 'a'::text) ->> 0$$),
	('sleep', $$temporal.sleep('1 h')::text$$),
	('await_signal', $$temporal.await_signal('go') ->> 0$$),
	('await_signal_timeout', $$coalesce(temporal.await_signal('never', '1 h') ->> 0, 'none')$$),
	('await_signals', $$temporal.await_signals(ARRAY['go', 'never'])::text$$),
	('expect_signal', $$temporal.await(temporal.expect_signal('go')) ->> 0$$),
	('side_effect', $$temporal.side_effect('x'::text) ->> 0$$),
	('run_compensations', $$temporal.run_compensations()::text$$);
CREATE FUNCTION shop.flaky(what text) RETURNS text LANGUAGE plpgsql AS
$$
BEGIN
	IF (temporal.activity_info() ->> 'attempt')::integer = 1 THEN RAISE EXCEPTION 'not now'; END IF;
	RETURN what;
END
$$;
SELECT temporal.register_activity('shop.flaky') \g /dev/null

CREATE TABLE shop.catcher (name text PRIMARY KEY, conditions text);
INSERT INTO shop.catcher VALUES
	('nothing', NULL),
	('others', 'OTHERS'),
	('canceled', 'query_canceled'),
	('both', 'OTHERS OR query_canceled'),
	('class', 'SQLSTATE ''57014'' OR raise_exception');

-- One function for each pair.  Before and after stand calls that need no wait,
-- and one that has; the handler itself calls, too.
CREATE FUNCTION shop.make(call text, expression text, catcher text, conditions text) RETURNS void LANGUAGE plpgsql AS
$make$
BEGIN
	EXECUTE format($f$
		CREATE FUNCTION shop.%1$I() RETURNS text LANGUAGE plpgsql AS $$
		DECLARE
			caught integer := 0;
			answer text;
			chance double precision;
		BEGIN
			PERFORM temporal.compensate('act', 'undo'::text);
			PERFORM temporal.step('before', 'SELECT 1');
			FOR i IN 1 .. 2 LOOP
				BEGIN
					answer := concat_ws(' ', answer, %2$s);
				%3$s
				END;
			END LOOP;
			chance := temporal.workflow_random();
			answer := answer || temporal.execute_activity('act', caught::text, result => ''::text);
			PERFORM temporal.step('after', 'SELECT 1');
			RETURN concat_ws(' ', answer, caught, chance BETWEEN 0 AND 1, temporal.workflow_random() <> chance);
		END $$ $f$, call || '_' || catcher, expression,
		'EXCEPTION WHEN ' || conditions || $h$ THEN
			caught := caught + 1;
			chance := temporal.workflow_random();
			PERFORM temporal.upsert_memo('{"caught": true}');$h$);
	PERFORM temporal.register_workflow(format('shop.%I', call || '_' || catcher));
	PERFORM temporal.start_workflow(call || '_' || catcher, workflow_id => call || '_' || catcher);
END
$make$;
SELECT shop.make(c.name, c.expression, k.name, k.conditions) FROM shop.call c, shop.catcher k \g /dev/null

\echo # the same in PL/Python

SELECT count(*) > 0 AS has_python FROM pg_available_extensions WHERE name = 'plpython3u' \gset
\if :has_python
CREATE EXTENSION plpython3u;
CREATE FUNCTION shop.make_python(call text, expression text, catcher text, clause text) RETURNS void LANGUAGE plpgsql AS
$make$
BEGIN
	EXECUTE format($f$
		CREATE FUNCTION shop.%1$I() RETURNS text LANGUAGE plpython3u AS $$
def ask(expression):
    return plpy.execute("SELECT (" + expression + ")::text AS answer")[0]["answer"]
caught = 0
answers = []
ask("temporal.compensate('act', 'undo'::text)")
ask("temporal.step('before', 'SELECT 1')")
for i in range(2):
    try:
        answers.append(ask(%2$s))
    %3$s
        caught += 1
        ask("temporal.workflow_random()")
        ask("temporal.upsert_memo('{}')")
chance = ask("temporal.workflow_random()")
answers.append(ask("temporal.execute_activity('act', '" + str(caught) + "'::text) ->> 0"))
ask("temporal.step('after', 'SELECT 1')")
return ' '.join([a or '' for a in answers] + [str(caught), 't' if ask("temporal.workflow_random()") != chance else 'f'])
$$ $f$, call || '_' || catcher, to_json(expression), clause);
	PERFORM temporal.register_workflow(format('shop.%I', call || '_' || catcher));
	PERFORM temporal.start_workflow(call || '_' || catcher, workflow_id => call || '_' || catcher);
END
$make$;
CREATE TABLE shop.python_catcher (name text PRIMARY KEY, clause text);
INSERT INTO shop.python_catcher VALUES
	('python_nothing', 'except ZeroDivisionError:'),
	('python_exception', 'except Exception:'),
	('python_spi', 'except plpy.SPIError:'),
	('python_bare', 'except:');
SELECT shop.make_python(c.name, c.expression, k.name, k.clause) FROM shop.call c, shop.python_catcher k \g /dev/null
\endif

-- Lets all go on until they end.
CREATE FUNCTION shop.go() RETURNS void LANGUAGE plpgsql AS
$$
BEGIN
	PERFORM t.tick();
	FOR i IN 1 .. 2 LOOP
		PERFORM temporal.signal_workflow(workflow_id, 'go', '"gone"') FROM temporal.workflows WHERE workflow_id ~ 'signal' AND status = 'Running';
		PERFORM t.tick();
	END LOOP;
	FOR i IN 1 .. 5 LOOP
		EXIT WHEN NOT EXISTS (SELECT FROM temporal.workflows WHERE status = 'Running');
		PERFORM t.skip('1 h');
	END LOOP;
END
$$;
SELECT shop.go() \g /dev/null

-- The answer, and all that has happened.
CREATE FUNCTION shop.tale(workflow_id text) RETURNS text LANGUAGE sql AS
$$
	SELECT t.outcome(workflow_id) || ': ' || (SELECT string_agg(event_type, ' ' ORDER BY event_id) FROM temporal.history(workflow_id))
$$;
SELECT matches(t.outcome(name || '_nothing'), '0 0 t t"$', name || ' gets its answer') FROM (SELECT * FROM shop.call ORDER BY 1) c;
SELECT is(shop.tale(call || '_' || catcher), shop.tale(call || '_nothing'), format('%s, and %s is caught', call, conditions))
FROM (SELECT c.name AS call, k.name AS catcher, conditions FROM shop.call c, shop.catcher k WHERE conditions IS NOT NULL ORDER BY 1, 2) p;
\if :has_python
SELECT matches(t.outcome(name || '_python_nothing'), '0 0 t"$', name || ' gets its answer in PL/Python') FROM (SELECT * FROM shop.call ORDER BY 1) c;
SELECT is(shop.tale(call || '_' || catcher), shop.tale(call || '_python_nothing'), format('%s, and %s', call, clause))
FROM (SELECT c.name AS call, k.name AS catcher, clause FROM shop.call c, shop.python_catcher k WHERE k.name <> 'python_nothing' ORDER BY 1, 2) p;
\else
SELECT skip('PL/Python is not installed', 1);
\endif
SELECT t.check(workflow_id) FROM (SELECT workflow_id FROM temporal.workflows ORDER BY 1) w;
SELECT * FROM finish();
ROLLBACK;
