-- Ten days of new customers, in one transaction.
BEGIN;
\ir include/worker.sql
\ir include/workflow.sql
SELECT * FROM no_plan();
\o /dev/null
\ir ../../examples/onboarding.sql
SELECT temporal.update_namespace('default', retention => '30 days');
\o

CREATE FUNCTION t.mails(who text) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(kind, ', ' ORDER BY sent_at) FROM onboarding.mail WHERE email = who $$;

INSERT INTO onboarding.customer VALUES ('ada', 'Ada'), ('bob', 'Bob'), ('eve', 'Eve');
SELECT t.tick() \g /dev/null
SELECT is(t.mails('ada'), 'welcome', 'a new customer is welcome');
SELECT temporal.signal_workflow('onboarding-ada', 'confirmed'), t.tick() \g /dev/null
SELECT is(t.outcome('onboarding-ada'), 'running', 'who confirms at once');
SELECT temporal.skip_time('3 days'), t.tick() \g /dev/null
SELECT is(t.outcome('onboarding-ada'), '"confirmed"', 'is done after three days');
SELECT is(t.mails('ada'), 'welcome, first steps', 'without a reminder');
SELECT is(t.mails('bob'), 'welcome, reminder', 'who does not is reminded');
SELECT temporal.skip_time('6 days'), t.tick() \g /dev/null
SELECT temporal.signal_workflow('onboarding-bob', 'confirmed'), t.tick() \g /dev/null
SELECT is(t.outcome('onboarding-bob'), '"confirmed"', 'and may still confirm');
SELECT is(t.outcome('onboarding-eve'), 'running', 'for a week');
SELECT temporal.skip_time('1 day'), t.tick() \g /dev/null
SELECT is(t.outcome('onboarding-eve'), '"given up"', 'no longer');
SELECT is(temporal.replay('onboarding.welcome', 'onboarding-' || who), NULL, who || ' can be played again')
FROM unnest(ARRAY['ada', 'bob', 'eve']) who;
SELECT t.check('onboarding-' || who) FROM unnest(ARRAY['ada', 'bob', 'eve']) who;
SELECT * FROM finish();
ROLLBACK;
