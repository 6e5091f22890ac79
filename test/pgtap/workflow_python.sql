-- Workflows and activities in PL/Python: what Python catches is not lost.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT count(*) > 0 AS has_python FROM pg_available_extensions WHERE name = 'plpython3u' \gset
\if :has_python
SELECT * FROM no_plan();

CREATE EXTENSION plpython3u;
CREATE SCHEMA shop;
CREATE FUNCTION shop.ask(question text) RETURNS text LANGUAGE plpython3u AS $$
if question == 'bad':
    raise ValueError('no such question')
return question.upper()
$$;
CREATE FUNCTION shop.talk(how text) RETURNS text LANGUAGE plpython3u AS $$
def ask(question):
    plan = plpy.prepare("SELECT temporal.execute_activity('ask', $1, maximum_attempts => 1, result => ''::text) AS answer", ["text"])
    return plpy.execute(plan, [question])[0]["answer"]
caught = 0
try:
    plpy.execute("SELECT temporal.sleep('1 hour')")
except Exception:
    caught += 1
if how == 'bare':
    try:
        plpy.execute("SELECT temporal.sleep('1 hour')")
    except:
        caught += 1
try:
    answer = ask('bad' if how == 'bad' else 'what')
except plpy.SPIError as e:
    answer = 'failed' if 'activity "ask" failed: ValueError: no such question' in str(e) else str(e)
return '%s %s' % (answer, caught)
$$;
SELECT temporal.register_workflow('shop.talk'), temporal.register_activity('shop.ask') \g /dev/null
SELECT is(t.launch('talk', to_jsonb(how), how), 'running', how || ' waits') FROM unnest(ARRAY['exception', 'bare', 'bad']) how;
SELECT t.history_is('exception', '1 WF_STARTED, 2 WFT_SCHED, 3 WFT_START, 4 WFT_DONE, 5 TIMER_START', 'an exception that is caught does not let it go on');
SELECT t.skip('1 hour') \g /dev/null
SELECT is(t.outcome('exception'), '"WHAT 0"', 'nor is it seen in the end');
SELECT is(t.outcome('bad'), '"failed 0"', 'a failure is an exception');
SELECT is(t.outcome('bare'), 'running', 'a bare except');
SELECT t.skip('1 hour') \g /dev/null
SELECT is(t.outcome('bare'), '"WHAT 0"', 'neither');
SELECT t.check(how) FROM unnest(ARRAY['exception', 'bare', 'bad']) how;
SELECT matches((SELECT attributes #>> '{failure,message}' FROM temporal.history('bad') WHERE event_type = 'ActivityTaskFailed'),
	'ValueError: no such question', 'an activity fails with what it raised');
SELECT * FROM finish();
\else
SELECT plan(1);
SELECT skip('PL/Python is not installed', 1);
SELECT * FROM finish();
\endif
ROLLBACK;
