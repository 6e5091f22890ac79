# Workflows that never end and never succeed, beside many that do: those are
# not kept waiting.
#
# A measured ratio would be at the mercy of whatever else the machine does, so
# it is only printed.  What is asserted is that the normal ones complete while
# the others are still at it, and how often those are called meanwhile.
#
# With TEMPORAL_SOAK there are 1,000 normal ones, and the ratio is asserted.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $soak = $ENV{TEMPORAL_SOAK};
my $count = $soak ? 1000 : 120;
my $patience = $PostgreSQL::Test::Utils::timeout_default;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
# A short pass_timeout only makes the test quicker.
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
restart_after_crash = on
temporal.pass_timeout = '300ms'
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# Bodies of functions that are at fault.
my %loops = (
	spin => 'LOOP END LOOP;',
	steps => q{LOOP PERFORM temporal.step('s', 'SELECT 1'); END LOOP;},
	steps_undone => q{LOOP BEGIN PERFORM temporal.step('s', 'SELECT 1'); RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN END; END LOOP;},
);
my %failures = (
	bug => 'PERFORM app.no_such_function();',
	write => 'CREATE TABLE app.written ();',
	cancel => q{RAISE EXCEPTION 'mine' USING ERRCODE = 'query_canceled';},
	shutdown => q{RAISE EXCEPTION 'mine' USING ERRCODE = 'admin_shutdown';},
	collide => q{RAISE EXCEPTION 'mine' USING ERRCODE = 'serialization_failure';},
	activity => q{LOOP BEGIN PERFORM temporal.execute_activity('collision', maximum_attempts => 2, initial_interval => '0.1 s');
		EXCEPTION WHEN SQLSTATE 'TF011' THEN END; END LOOP;},
);
# Those take their process with them.
my %killers = (
	deaf => 'LOOP BEGIN LOOP END LOOP; EXCEPTION WHEN query_canceled THEN END; END LOOP;',
	leave => 'PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10);',
);
my %poison = (%loops, %failures, %killers);

sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE FUNCTION app.act(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n + 1';
	CREATE FUNCTION app.collision() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		RAISE EXCEPTION 'mine' USING ERRCODE = 'serialization_failure';
	END $$;
	CREATE FUNCTION app.normal(n integer) RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		n := temporal.execute_activity('act', n, result => n);
		PERFORM temporal.sleep('10 ms');
		RETURN temporal.execute_activity('act', n, result => n);
	END $$;
	SELECT temporal.register_workflow('app.normal'), temporal.register_activity('app.act'), temporal.register_activity('app.collision');
});
# What a workflow writes is rolled back; a line in the log is not.
sql(qq{
	CREATE FUNCTION app.$_() RETURNS text LANGUAGE plpgsql SET client_min_messages = error AS \$\$
	BEGIN
		RAISE LOG 'pass of $_';
		$poison{$_}
		RETURN 'it ended';
	END \$\$;
	SET client_min_messages = error;
	SELECT temporal.register_workflow('app.$_')}) for sort keys %poison;

my $runs = 0;

# Runs the normal ones; how long that took in seconds, undef: too long.
sub run_normal
{
	my $prefix = 'n' . ++$runs . '-';
	my $begun = time;

	sql(qq{SELECT count(temporal.start_workflow('normal', to_jsonb(i), workflow_id => '$prefix' || i)) FROM generate_series(1, $count) i});
	while (time - $begun < $patience)
	{
		my $done = sql(qq{SELECT count(*) FROM temporal.workflows WHERE workflow_id LIKE '$prefix%' AND status = 'Completed'});

		return time - $begun if $done == $count;
		sleep(0.05);
	}
	return undef;
}

sub passes
{
	my ($name) = @_;
	my $log = slurp_file($node->logfile);
	my $n = () = $log =~ /pass of $name\b/g;

	return $n;
}

# Runs the normal ones beside those; how many times longer that takes.
sub run_beside
{
	my ($alone, $executors, @names) = @_;
	my $what = sprintf '%s, with %d executor%s', join(', ', @names), $executors, $executors > 1 ? 's' : '';
	my %before = map { $_ => passes($_) } @names;

	sql("SELECT temporal.start_workflow('$_', workflow_id => '$_ $executors')") for @names;
	my $beside = run_normal();
	my %after = map { $_ => passes($_) - $before{$_} } @names;
	ok(defined $beside, "normal ones complete beside $what");
	is(sql(qq{SELECT count(*) FROM temporal.workflows WHERE status = 'Running' AND workflow_id IN (} .
			join(', ', map { "'$_ $executors'" } @names) . ')'), scalar @names, 'those are still at it');
	$beside //= $patience;
	note sprintf('%s: %.2f s, alone %.2f s, ratio %.2f; passes: %s', $what, $beside, $alone, $beside / $alone,
		join(', ', map { "$_ $after{$_}" } @names));
	# One that collides is tried four times before that counts; later attempts
	# wait for their timeout of ten seconds.  An activity waits 0.1 s, and is
	# tried twice more by the pass of its workflow.
	for my $name (grep { !/steps/ } @names)
	{
		my $seconds = $name eq 'activity' ? 0.1 : 5;

		my $first = $name eq 'activity' ? 30 : 10;

		cmp_ok($after{$name}, '<=', $first + $beside / $seconds, "$name was called a few times");
	}
	# A step is a pass here, and a workflow task some of them.
	for my $name (grep { /steps/ } @names)
	{
		cmp_ok(sql(qq{SELECT count(*) FROM temporal.history('$name $executors') WHERE event_type = 'WorkflowTaskCompleted'}), '<=', 3 * $count,
			"$name had its turns");
	}
	sql("SELECT temporal.terminate_workflow('$_ $executors')") for @names;
	return $beside / $alone;
}

for my $executors (1, 2)
{
	sql("ALTER SYSTEM SET temporal.executors = $executors; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', qq{SELECT count(*) = $executors FROM pg_stat_activity WHERE backend_type = 'temporal executor'}) or die;
	run_normal();
	my $alone = run_normal();

	run_beside($alone, $executors, sort(keys %loops), sort keys %failures);
	if ($soak)
	{
		cmp_ok(run_beside($alone, $executors, $_, 'bug'), '<', 2, "it takes less than twice as long beside $_") for sort keys %loops;
		cmp_ok(run_beside($alone, $executors, $_), '<', 2, "it takes less than twice as long beside $_") for sort keys %failures;
	}
	run_beside($alone, $executors, sort keys %killers) if $soak || $executors > 1;
}

note 'an executor that is idle, and one that is busy for long in a transaction with others';

sql(q{ALTER SYSTEM SET temporal.executors = 2; ALTER SYSTEM SET temporal.extra_executors = 0; SELECT pg_reload_conf();
	CREATE FUNCTION app.long() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF (temporal.activity_info() ->> 'attempt')::integer = 1 THEN
			RAISE EXCEPTION 'later';
		END IF;
		PERFORM pg_advisory_xact_lock(1);
	END $$;
	CREATE FUNCTION app.long_flow() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.execute_activity('long', initial_interval => '1 s');
	END $$;
	CREATE FUNCTION app.quick() RETURNS text LANGUAGE sql AS $$ SELECT 'quick' $$;
	SELECT temporal.register_activity('app.long'), temporal.register_workflow('app.long_flow'), temporal.register_workflow('app.quick')});
my $holder = $node->background_psql('postgres');
$holder->query_safe('SELECT pg_advisory_lock(1)');
sql(q{SELECT temporal.start_workflow('long_flow', workflow_id => 'long')});
# Both sleep until the second attempt is due, which wakes one of them.
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}) or die;
sql(q{SELECT temporal.start_workflow('quick', workflow_id => 'quick')});
is(sql(q{CALL temporal.await_result('quick', '10 s')}), '"quick"', 'the idle one is woken');
$holder->quit;

note 'a workflow task that has failed before, and another queue that never gets empty';

# Beyond pass_timeout nothing is urgent; what is goes by the task queue.
sql(q{ALTER SYSTEM SET temporal.executors = 1;
	ALTER SYSTEM SET temporal.pass_timeout = '60s'});
$node->reload;
sql(q{
	CREATE TABLE app.done (n integer);
	CREATE FUNCTION app.busy(n integer) RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.01); INSERT INTO app.done VALUES (n)';
	CREATE FUNCTION app.flood(n integer) RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		handles bigint[];
	BEGIN
		FOR i IN 1 .. n LOOP
			handles := handles || temporal.start_activity('busy', i, schedule_to_close_timeout => '50 s');
		END LOOP;
		PERFORM temporal.await_all(handles);
	END $$;
	CREATE FUNCTION app.second() RETURNS integer LANGUAGE plpgsql AS $$
	BEGIN
		IF (temporal.workflow_info() ->> 'history_length')::integer < 4 THEN
			PERFORM app.no_such_function();
		END IF;
		RETURN temporal.step('look', 'SELECT count(*) FROM app.done');
	END $$;
	SELECT temporal.register_activity('app.busy'), temporal.register_workflow('app.flood'), temporal.register_workflow('app.second');
	SELECT temporal.start_workflow('flood', to_jsonb(500), workflow_id => 'flood')});
$node->poll_query_until('postgres', 'SELECT count(*) > 10 FROM app.done') or die;
sql(q{SELECT temporal.start_workflow('second', workflow_id => 'second')});
my $done = sql(q{CALL temporal.await_result('second', '1 min')});
note "beside $done of 500 activities";
cmp_ok($done, '<', 350, 'waits for some, but not for all');

done_testing();
