-- An agent that answers complaints: a language model says what to do next, its
-- tools are statements in this database, and a person approves what it pays.
--
-- The model is asked over HTTP, by an activity in PL/Python.  It answers
-- differently each time, says "429 Too Many Requests", or nothing at all; each
-- answer that has arrived is in the history, and is never asked for again.
--
--     python3 examples/agent/model.py --port 8089 &
--     psql -f examples/agent/agent.sql
--     INSERT INTO agent.ticket VALUES (1, 'The teapot of order 7 has no lid.');
--     TABLE agent.to_approve;
--     SELECT agent.decide(1, true);
--     CALL temporal.await_result('ticket-1');

CREATE EXTENSION IF NOT EXISTS plpython3u;
CREATE SCHEMA agent;

CREATE TABLE agent.model (port integer NOT NULL);
INSERT INTO agent.model VALUES (8089);

CREATE TABLE agent.ticket (
	ticket_id integer PRIMARY KEY,
	complaint text NOT NULL
);

CREATE TABLE agent.orders (
	order_id integer PRIMARY KEY,
	item text NOT NULL,
	price numeric NOT NULL
);
INSERT INTO agent.orders SELECT n, 'TEAPOT', 20 + n FROM generate_series(1, 20) n;

CREATE TABLE agent.policy (topic text PRIMARY KEY, says text NOT NULL);
INSERT INTO agent.policy VALUES ('refunds', 'Never more than the price.');

-- What the model wants to pay, and what somebody said to that.
CREATE TABLE agent.proposal (
	ticket_id integer NOT NULL,
	amount numeric NOT NULL,
	approved boolean
);

-- No constraint keeps a customer from being refunded twice.
CREATE TABLE agent.refund (
	ticket_id integer NOT NULL,
	amount numeric NOT NULL
);

-- ---- activities ----

-- Asks the model, and has it say when to come back.  While it thinks we say that
-- we are alive; there we hear, too, that the time is over or nobody waits.
CREATE FUNCTION agent.ask_model(messages jsonb) RETURNS jsonb
LANGUAGE plpython3u AS $$
import http.client, select

port = plpy.execute("SELECT port FROM agent.model")[0]["port"]
key = plpy.execute("SELECT temporal.activity_info() ->> 'idempotency_key' AS key")[0]["key"]
connection = http.client.HTTPConnection("127.0.0.1", port)
try:
    connection.request("POST", "/", messages.encode(), {"Idempotency-Key": key})
    while not select.select([connection.sock], [], [], 0.1)[0]:
        plpy.execute("SELECT temporal.heartbeat()")
    response = connection.getresponse()
    answer = response.read().decode()
finally:
    connection.close()
if response.status == 429:
    delay = response.headers["Retry-After"] + " seconds"
    plan = plpy.prepare("SELECT temporal.fail('the model is busy', 'Busy', next_retry_delay => $1::interval)", ["text"])
    plpy.execute(plan, [delay])
if response.status != 200:
    raise RuntimeError("the model says %d %s" % (response.status, response.reason))
return answer
$$;

CREATE FUNCTION agent.refund(ticket_id integer, amount numeric) RETURNS void
LANGUAGE sql AS $$
	INSERT INTO agent.refund VALUES (ticket_id, amount)
$$;

-- ---- the workflow ----

CREATE FUNCTION agent.pay(ticket_id integer, amount numeric) RETURNS text
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM temporal.step('propose', 'INSERT INTO agent.proposal VALUES ($1, $2)', ticket_id, amount);
	IF temporal.await_signal('decision', timeout => '1 day', result => false) THEN
		PERFORM temporal.execute_activity('refund_customer', ARRAY[to_jsonb(ticket_id), to_jsonb(amount)]);
		RETURN 'paid';
	END IF;
	RETURN 'not approved';
END
$$;

CREATE FUNCTION agent.answer(ticket agent.ticket) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	messages jsonb := jsonb_build_array(jsonb_build_object('role', 'user', 'content', ticket.complaint));
	reply jsonb;
	found jsonb;
BEGIN
	FOR turn IN 1 .. 10 LOOP
		reply := temporal.execute_activity('ask_model', messages);
		CASE reply ->> 'tool'
		WHEN 'look_up_order' THEN
			found := temporal.step('look up', 'SELECT to_jsonb(o) FROM agent.orders o WHERE order_id = $1',
				(reply ->> 'argument')::integer);
		WHEN 'read_policy' THEN
			found := temporal.step('read', 'SELECT says FROM agent.policy WHERE topic = $1', reply ->> 'argument');
		WHEN 'refund' THEN
			found := to_jsonb(agent.pay(ticket.ticket_id, (reply ->> 'argument')::numeric));
		ELSE
			RETURN reply ->> 'content';
		END CASE;
		messages := messages || reply || jsonb_build_object('role', 'tool', 'content', found);
	END LOOP;
	RETURN 'A person will answer you.';
END
$$;

-- The model is not part of our transaction: that it is asked is known before it is.
SELECT temporal.register_workflow('agent.answer', 'agent'),
	temporal.register_activity('agent.ask_model', transactional => false,
		start_to_close_timeout => '2 seconds', initial_interval => '100 milliseconds'),
	temporal.register_activity('agent.refund', 'refund_customer');

CREATE FUNCTION agent.start_ticket() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM temporal.start_workflow('agent', to_jsonb(new), workflow_id => 'ticket-' || new.ticket_id);
	RETURN NULL;
END
$$;

CREATE TRIGGER start_ticket AFTER INSERT ON agent.ticket
FOR EACH ROW EXECUTE FUNCTION agent.start_ticket();

-- ---- people ----

CREATE VIEW agent.to_approve AS
SELECT ticket_id, complaint, amount FROM agent.proposal JOIN agent.ticket USING (ticket_id) WHERE approved IS NULL;

CREATE FUNCTION agent.decide(ticket_id integer, approve boolean) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE agent.proposal p SET approved = approve WHERE p.ticket_id = decide.ticket_id;
	SELECT temporal.signal_workflow('ticket-' || ticket_id, 'decision', to_jsonb(approve));
END;
