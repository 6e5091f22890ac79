-- Sign-up: a welcome mail, and after three days a reminder for who has not
-- confirmed the address by then.  Whoever confirms sends the signal
-- "activated"; who does not within a week more is given up.

CREATE SCHEMA onboarding;

CREATE TABLE onboarding.customer (
	email text PRIMARY KEY,
	name text NOT NULL
);

CREATE TABLE onboarding.mail (
	email text NOT NULL,
	kind text NOT NULL,
	sent_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- How long a day of the workflow lasts: for who has no week to watch it.
CREATE TABLE onboarding.setting (day interval NOT NULL);
INSERT INTO onboarding.setting VALUES ('1 day');

CREATE FUNCTION onboarding.start_customer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM temporal.start_workflow('onboarding',
		jsonb_build_object('email', new.email, 'name', new.name, 'day', setting.day),
		workflow_id => 'onboarding-' || new.email, task_queue => 'onboarding')
	FROM onboarding.setting;
	RETURN NULL;
END
$$;

CREATE TRIGGER start_customer AFTER INSERT ON onboarding.customer
FOR EACH ROW EXECUTE FUNCTION onboarding.start_customer();

CREATE FUNCTION onboarding.decide(task jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	customer jsonb := decider.input(task);
	day interval := customer ->> 'day';
	p jsonb := decider.progress(task);
BEGIN
	IF NOT decider.done(p, 'welcome mail') THEN
		RETURN decider.activity(p, 'welcome mail', 'mail', customer);
	END IF;
	IF decider.done(p, 'activated') THEN
		RETURN decider.complete('activated');
	END IF;

	IF NOT decider.done(p, 'three days') THEN
		RETURN decider.timer(p, 'three days', 3 * day);
	END IF;
	IF NOT decider.done(p, 'reminder') THEN
		RETURN decider.activity(p, 'reminder', 'mail', customer);
	END IF;

	IF NOT decider.done(p, 'a week') THEN
		RETURN decider.timer(p, 'a week', 7 * day);
	END IF;
	RETURN decider.complete('given up');
END
$$;

-- Puts a mail into the outbox of the shop's mail server.
CREATE FUNCTION onboarding.send_mail(task jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO onboarding.mail VALUES (task #>> '{input,email}', task ->> 'activityType');
	RETURN NULL;
END
$$;
