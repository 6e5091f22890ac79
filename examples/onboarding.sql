-- Sign-up: a welcome mail, and after three days a reminder for who has not
-- confirmed the address by then.  Whoever confirms sends the signal
-- "confirmed"; who does not within a week more is given up.
--
--     psql -f examples/onboarding.sql
--     INSERT INTO onboarding.customer VALUES ('ada@example.com', 'Ada');
--     SELECT temporal.signal_workflow('onboarding-ada@example.com', 'confirmed');
--     SELECT * FROM temporal.workflows WHERE workflow_type = 'onboarding';

CREATE SCHEMA onboarding;

CREATE TABLE onboarding.customer (
	email text PRIMARY KEY,
	name text NOT NULL
);

-- What the mail server takes from us.
CREATE TABLE onboarding.mail (
	email text NOT NULL,
	kind text NOT NULL,
	sent_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION onboarding.send_mail(email text, kind text) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO onboarding.mail VALUES (email, kind)
$$;

CREATE FUNCTION onboarding.welcome(customer onboarding.customer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	email jsonb := to_jsonb(customer.email);
BEGIN
	PERFORM temporal.execute_activity('send_mail', ARRAY[email, '"welcome"']);
	PERFORM temporal.sleep('3 days');
	IF temporal.poll_signal('confirmed') IS NULL THEN
		PERFORM temporal.execute_activity('send_mail', ARRAY[email, '"reminder"']);
		IF temporal.await_signal('confirmed', timeout => '7 days') IS NULL THEN
			RETURN 'given up';
		END IF;
	END IF;
	PERFORM temporal.execute_activity('send_mail', ARRAY[email, '"first steps"']);
	RETURN 'confirmed';
END
$$;

SELECT temporal.register_workflow('onboarding.welcome', 'onboarding'),
	temporal.register_activity('onboarding.send_mail');

CREATE FUNCTION onboarding.start_customer() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM temporal.start_workflow('onboarding', to_jsonb(new), workflow_id => 'onboarding-' || new.email);
	RETURN NULL;
END
$$;

CREATE TRIGGER start_customer AFTER INSERT ON onboarding.customer
FOR EACH ROW EXECUTE FUNCTION onboarding.start_customer();
