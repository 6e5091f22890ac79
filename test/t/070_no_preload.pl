# Without the library in shared_preload_libraries everything works, driven by
# CALL temporal.run() from pg_cron.  Where pg_cron cannot run a job every
# second (before 1.5) this test makes the calls, unless TEMPORAL_SOAK is set:
# then it waits for the full minute.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
my $has_cron = -e $node->config_data('--sharedir') . '/extension/pg_cron.control';
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_cron'
cron.use_background_workers = on
}) if $has_cron;
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub error_of
{
	my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]");

	return $err;
}

like(
	error_of('CREATE EXTENSION temporal'),
	qr/NOTICE:  00000: nothing will run by itself: no timers, retries or timeouts\nHINT:  Add temporal to shared_preload_libraries/,
	'CREATE EXTENSION says that nothing runs by itself');
like(sql('SELECT problem, fix FROM temporal.status()'), qr/^not preloaded\|.*CALL temporal.run\(\)/, 'so does status()');
{
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	command_ok([ 'psql', '-Xqf', 'test/t/include/shop.sql', 'postgres' ], 'handlers are made');
}

# A job every second, if that can be had.
sub start_job
{
	my ($version) = sql(q{CREATE EXTENSION pg_cron; SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'});
	my ($major, $minor) = split(/[.-]/, $version);
	my $every_second = $major > 1 || $minor >= 5;

	return 0 unless $every_second || $ENV{TEMPORAL_SOAK};
	sql("SELECT cron.schedule('temporal', '" . ($every_second ? '1 second' : '* * * * *') . "', 'CALL temporal.run()')");
	return 1;
}
my $job = $has_cron && start_job();
note $job ? 'driven by pg_cron' : 'driven by psql';

# Calls until a query is true.
sub run_until
{
	my ($query, $name) = @_;
	my $value = '';

	for (1 .. 900)
	{
		sql('CALL temporal.run()') unless $job;
		$value = sql($query);
		last if $value eq 't';
		sql('SELECT pg_sleep(0.1)');
	}
	is($value, 't', $name);
}

note 'workflows with a timer and an activity that fails once';

sql(q{
	CREATE FUNCTION fragile(task jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	BEGIN
		IF (task ->> 'attempt')::integer = 1 THEN
			RAISE EXCEPTION 'not yet';
		END IF;
		RETURN charge(task);
	END
	$$;
	SELECT temporal.start_workflow('t', '0.5', 'w' || g, 'shop') FROM generate_series(1, 3) g;});
my $worker = $node->background_psql('postgres');
my $waiter = $node->background_psql('postgres');
$worker->query_until(qr/working/, q{\echo working
	CALL temporal.work('shop', 'decide', 'workflow', max_tasks => 9);
	\echo decided
});
$waiter->query_until(qr/waiting/, q{\echo waiting
	CALL temporal.await_result('w1');
});
sql(q{CALL temporal.work('shop', 'fragile', idle_timeout => '300 ms')});
is(sql('SELECT count(*) FROM temporal.pending_activities WHERE attempt = 2'), '3', 'each has failed once');
run_until(q{SELECT NOT EXISTS (SELECT FROM temporal.pending_timers)}, 'timers fire');
run_until(q{SELECT count(*) = 3 FROM temporal.task t WHERE kind = 2}, 'activities are offered again after their backoff');
sql(q{CALL temporal.work('shop', 'fragile', max_tasks => 3)});
like($worker->query_until(qr/decided/, ''), qr/decided/, 'a worker that waits gets every task');
is(sql(q{SELECT string_agg(temporal.workflow_result(workflow_id) #>> '{}', ', ' ORDER BY workflow_id) FROM temporal.workflows}),
	'charged w1, charged w2, charged w3', 'all workflows finish');
like($waiter->query('SELECT 1'), qr/charged w1/, 'who waits for the result gets it');
$_->quit for ($worker, $waiter);

note 'an activity with heartbeats';

sql(q{
	CREATE FUNCTION faint() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		IF temporal.activity_info() -> 'heartbeat_details' = 'null' THEN
			PERFORM temporal.heartbeat('halfway'::text);
			PERFORM pg_sleep(600);
		END IF;
		RETURN temporal.activity_info() ->> 'heartbeat_details';
	END $$;
	CREATE FUNCTION nurse() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('faint', result => ''::text); END $$;
	SELECT temporal.register_activity('faint', heartbeat_timeout => '500 ms', initial_interval => '1 ms'), temporal.register_workflow('nurse');
	SELECT temporal.start_workflow('nurse', workflow_id => 'nurse')});
run_until(q{SELECT status = 'Completed' FROM temporal.workflows WHERE workflow_id = 'nurse'}, 'it watches its heartbeat timeout itself');
is(sql(q{SELECT temporal.workflow_result('nurse')}), '"halfway"', 'and the next attempt goes on from there');
is(sql(q{SELECT attributes #>> '{lastFailure,message}' FROM temporal.history('nurse') WHERE event_type = 'ActivityTaskStarted'}),
	'activity function did not heartbeat in time', 'which is why it failed');

note 'one call for many timers';

sql(q{
	CREATE TABLE weight (pid integer, bytes bigint, at bigserial);
	CREATE FUNCTION weigh() RETURNS void LANGUAGE sql AS $$
		INSERT INTO weight (pid, bytes) SELECT pg_backend_pid(), sum(used_bytes) FROM pg_backend_memory_contexts
	$$;
	CREATE FUNCTION nap() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.sleep('1 ms');
		PERFORM temporal.execute_activity('weigh');
	END $$;
	SELECT temporal.register_activity('weigh'), temporal.register_workflow('nap');
	SELECT count(temporal.start_workflow('nap', workflow_id => 'nap' || g)) FROM generate_series(1, 400) g;
	CALL temporal.run('1 min', batch_size => 1)});
run_until(q{SELECT count(*) = 400 FROM weight}, 'all fire');
cmp_ok(
	sql(q{
		SELECT (max(bytes) - min(bytes)) / count(*) FROM (
			SELECT *, row_number() OVER (PARTITION BY pid ORDER BY at) AS place FROM weight) w
		WHERE place > 50 GROUP BY pid ORDER BY count(*) DESC LIMIT 1}),
	'<', 100, 'it keeps nothing of those that have fired');

note 'a run with many activities elsewhere';

sql(q{
	CREATE FUNCTION crowd() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. 1000 LOOP
			PERFORM temporal.start_activity('act', task_queue => 'elsewhere');
		END LOOP;
		RETURN temporal.await_signal('go', result => ''::text);
	END $$;
	SELECT temporal.register_workflow('crowd');
	SELECT temporal.start_workflow('crowd', workflow_id => 'crowd');
	CALL temporal.run('10 s');
	SELECT temporal.signal_workflow('crowd', 'go', '"gone"');
	CALL temporal.run('10 s');});
is(sql(q{SELECT status FROM temporal.workflows WHERE workflow_id = 'crowd'}), 'Completed', 'what waits for more of them is done, too');

note 'the rest';

sql(q{SELECT temporal.start_workflow('t', '0', 'claimed', 'shop')});
is(sql(q{
		BEGIN; SELECT temporal.poll_workflow_task('shop') ->> 'attempt'; ROLLBACK;
		SELECT temporal.poll_workflow_task('shop') ->> 'attempt';}),
	"1\n1", 'a claim that is rolled back is there again');
is(sql(q{CALL temporal.wait_for_task('shop', '100 ms')}), 'f', 'waiting ends');
like(error_of('BEGIN; CALL temporal.run()'),
	qr/ERROR:  25001: temporal.run\(\) cannot run inside a transaction block\nHINT:  It commits on the way/,
	'run() says that it cannot be part of a transaction');
$node->safe_psql('postgres', q{SELECT temporal.start_workflow('t', '0', 'late', 'late', start_delay => '1 s')});
my $runner = IPC::Run::start(
	['psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL temporal.run('180 s', wait => true)"],
	'<', \undef, '&>', \my $ignored);
ok($node->poll_query_until('postgres', q{SELECT backlog = 1 FROM temporal.task_queues WHERE task_queue = 'late'}),
	'run() can wait for what becomes due');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL temporal.run(''180%'});
$runner->finish;
is(sql(q{SELECT count(*) FROM temporal.stat_workers()}), '0', 'there are no workers to see');
is(sql(q{SELECT count(*) FROM temporal.stat_pollers()}), '0', 'no pollers are known');
like(error_of(q{SELECT temporal.listen('shop')}), qr/ERROR:  55000: nobody sends notifications\nHINT:  Add temporal to/,
	'there are no notifications');
is(sql(q{DROP EXTENSION temporal;
	CREATE EXTENSION temporal;
	SELECT temporal.start_workflow('T', workflow_id => 'anew')}), 'anew', 'the extension can be dropped, and made anew in the same session');
sql('DROP EXTENSION temporal');

done_testing();
