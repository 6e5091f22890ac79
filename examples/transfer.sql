-- Money from one account to another, for a fee: three bookings.  If one of
-- them is refused, those before it are undone, the latest first: a saga.
--
--     psql -f examples/transfer.sql
--     INSERT INTO bank.account VALUES ('ada', 100), ('bob', 0);
--     CALL temporal.execute_workflow('transfer', inputs => ARRAY['"ada"', '"bob"', '10']::jsonb[]);
--     TABLE bank.entry;
--
-- One booking would do where all accounts are rows of one table.  Let them be
-- accounts of three banks.

CREATE SCHEMA bank;

CREATE TABLE bank.account (
	name text PRIMARY KEY,
	balance numeric NOT NULL CHECK (balance >= 0),
	closed boolean NOT NULL DEFAULT false
);
INSERT INTO bank.account VALUES ('fees', 0);

CREATE TABLE bank.entry (
	transfer text NOT NULL,
	account text NOT NULL REFERENCES bank.account,
	amount numeric NOT NULL
);

-- An activity: entry and balance are there exactly once, however often it is
-- tried.
CREATE FUNCTION bank.book(account text, amount numeric) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE bank.account a SET balance = balance + amount WHERE name = account AND NOT closed;
	IF NOT FOUND THEN
		PERFORM temporal.fail(format('account %s is closed', account), 'AccountClosed', non_retryable => true);
	END IF;
	INSERT INTO bank.entry VALUES (temporal.activity_info() ->> 'workflow_id', account, amount);
EXCEPTION WHEN check_violation THEN
	PERFORM temporal.fail(format('account %s has too little money', account), 'Overdrawn', non_retryable => true);
END
$$;

CREATE FUNCTION bank.transfer(sender text, receiver text, amount numeric, fee numeric DEFAULT 1) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	account text;
	change numeric;
BEGIN
	FOR account, change IN VALUES (sender, -amount - fee), ('fees', fee), (receiver, amount) LOOP
		PERFORM temporal.execute_activity('book', ARRAY[to_jsonb(account), to_jsonb(change)]);
		PERFORM temporal.compensate('book', ARRAY[to_jsonb(account), to_jsonb(-change)]);
	END LOOP;
	RETURN 'done';
EXCEPTION WHEN SQLSTATE 'TF011' OR SQLSTATE 'TF020' THEN	-- refused, or somebody called cancel_workflow()
	PERFORM temporal.run_compensations();
	RETURN 'undone: ' || SQLERRM;
END
$$;

SELECT temporal.register_workflow('bank.transfer'), temporal.register_activity('bank.book');
