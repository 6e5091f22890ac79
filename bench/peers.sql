-- What bench/peers runs of this extension: workflows of as many payments as
-- they are told, each by another way to do a step.

CREATE FUNCTION pay(step integer)
RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
	payment bigint;
BEGIN
	INSERT INTO payment (step, amount) VALUES (pay.step, 100) RETURNING id INTO payment;
	RETURN payment;
END
$$;

CREATE FUNCTION activity(steps integer)
RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
	FOR i IN 1 .. steps LOOP
		PERFORM temporal.execute_activity('pay', i);
	END LOOP;
	RETURN steps;
END
$$;

CREATE FUNCTION local_activity(steps integer)
RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
	FOR i IN 1 .. steps LOOP
		PERFORM temporal.execute_local_activity('pay', i);
	END LOOP;
	RETURN steps;
END
$$;

CREATE FUNCTION step(steps integer)
RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
	FOR i IN 1 .. steps LOOP
		PERFORM temporal.step('pay',
			'INSERT INTO payment (step, amount) VALUES ($1, 100) RETURNING id', i);
	END LOOP;
	RETURN steps;
END
$$;

CREATE FUNCTION local_activity_and_waits(steps integer)
RETURNS integer
LANGUAGE plpgsql
AS $$
BEGIN
	FOR i IN 1 .. steps LOOP
		PERFORM temporal.execute_local_activity('pay', i);
		IF i % 10 = 0 THEN
			PERFORM temporal.sleep('1 ms');
		END IF;
	END LOOP;
	RETURN steps;
END
$$;

DO $$
BEGIN
	PERFORM temporal.register_activity('pay');
	PERFORM temporal.register_workflow(f)
	FROM unnest('{activity, local_activity, step, local_activity_and_waits}'::text[]) f;
END
$$;
