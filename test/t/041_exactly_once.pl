# Money is moved between accounts by workflow functions, while executors are
# killed and activities fail: no transfer is lost or applied twice.
#
# With TEMPORAL_SOAK there are 5,000 transfers.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $transfers = $ENV{TEMPORAL_SOAK} ? 5000 : 600;
my $kills = $ENV{TEMPORAL_SOAK} ? 20 : 4;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
restart_after_crash = on
deadlock_timeout = 200ms
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# A workflow is of one of four kinds: activities in the pass or, as they may
# heartbeat, in tasks of their own; local steps before and after a timer; or an
# activity that moves both sides at once.
sql(q{
	CREATE EXTENSION temporal;
	CREATE TABLE account (id integer PRIMARY KEY, balance integer NOT NULL) WITH (fillfactor = 50);
	INSERT INTO account SELECT i, 1000 FROM generate_series(1, 100) i;
	CREATE TABLE moved (transfer integer, side text, UNIQUE (transfer, side));
	CREATE SEQUENCE calls;
	CREATE FUNCTION move(transfer integer, side text, holder integer, amount integer) RETURNS integer LANGUAGE plpgsql AS $$
	DECLARE
		result integer;
	BEGIN
		PERFORM nextval('calls');
		UPDATE account SET balance = balance + amount WHERE id = holder RETURNING balance INTO result;
		IF random() < 0.1 THEN
			RAISE EXCEPTION 'bad luck';
		END IF;
		INSERT INTO moved VALUES (transfer, side);
		RETURN result;
	END $$;
	CREATE FUNCTION move_both(transfer integer, source integer, target integer, amount integer) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM move(transfer, 'source', source, -amount);
		PERFORM move(transfer, 'target', target, amount);
	END $$;
	CREATE FUNCTION transfer(id integer, source integer, target integer, amount integer) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		CASE id % 4
			WHEN 0 THEN
				PERFORM temporal.execute_activity('move', ARRAY[to_jsonb(id), '"source"', to_jsonb(source), to_jsonb(-amount)]);
				PERFORM temporal.execute_activity('move', ARRAY[to_jsonb(id), '"target"', to_jsonb(target), to_jsonb(amount)]);
			WHEN 1 THEN
				PERFORM temporal.execute_local_activity('move', ARRAY[to_jsonb(id), '"source"', to_jsonb(source), to_jsonb(-amount)], initial_interval => '10 ms', maximum_attempts => 100);
				PERFORM temporal.sleep('10 ms');
				PERFORM temporal.execute_local_activity('move', ARRAY[to_jsonb(id), '"target"', to_jsonb(target), to_jsonb(amount)], initial_interval => '10 ms', maximum_attempts => 100);
			WHEN 2 THEN
				PERFORM temporal.execute_activity('move_by_task', ARRAY[to_jsonb(id), '"source"', to_jsonb(source), to_jsonb(-amount)]);
				PERFORM temporal.execute_activity('move_by_task', ARRAY[to_jsonb(id), '"target"', to_jsonb(target), to_jsonb(amount)]);
			ELSE
				PERFORM temporal.execute_activity('move_both', ARRAY[to_jsonb(id), to_jsonb(source), to_jsonb(target), to_jsonb(amount)]);
		END CASE;
		RETURN 'moved';
	END $$;
	SELECT temporal.register_workflow('transfer');
	SELECT temporal.register_activity(f, initial_interval => '10 ms', maximum_interval => '100 ms') FROM unnest(ARRAY['move', 'move_both']) f;
	SELECT temporal.register_activity('move', 'move_by_task', initial_interval => '10 ms', maximum_interval => '100 ms', heartbeat_timeout => '1 minute');
});
sql(qq{
	SELECT count(temporal.start_workflow('transfer', workflow_id => 'transfer ' || i, inputs => ARRAY[to_jsonb(i),
		to_jsonb(1 + (random() * 99)::integer), to_jsonb(1 + (random() * 99)::integer), to_jsonb(1 + (random() * 50)::integer)]))
	FROM generate_series(1, $transfers) i});

my $done = q{SELECT count(*) FROM temporal.workflows WHERE status = 'Completed'};
for my $kill (1 .. $kills)
{
	my $goal = int($transfers * $kill / ($kills + 1));

	$node->poll_query_until('postgres', "SELECT ($done) >= $goal") or last;
	my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'temporal executor' ORDER BY random() LIMIT 1});
	next unless $pid;
	note "kill $kill after $goal";
	kill 'KILL', $pid;
	for (1 .. 600)
	{
		last if eval { sql('SELECT 1') };
		PostgreSQL::Test::Utils::system_log('sleep', '0.1');
	}
}
ok($node->poll_query_until('postgres', "SELECT ($done) = $transfers"), 'all workflows complete') or
	diag(sql(q{SELECT * FROM temporal.workflows WHERE status <> 'Completed' LIMIT 5}));
is(sql('SELECT sum(balance) FROM account'), 100000, 'no money is lost or made');
is(sql('SELECT count(*) FROM moved'), 2 * $transfers, 'each transfer was applied once');
cmp_ok(sql(q{SELECT last_value FROM calls}), '>', 2 * $transfers, 'though some were tried more often');
is(sql(q{SELECT count(*) FROM temporal.task}), 0, 'no task is left');

done_testing();
