# Workflows that never end and never succeed, beside many that do: those are
# not kept waiting.
#
# A measured ratio would be at the mercy of whatever else the machine does, so
# it is only printed.  What is asserted is that the normal ones complete while
# the others are still at it, and how many calls of the others come in between.
#
# With TEMPORAL_SOAK there are 1,000 normal ones, and the ratio is asserted.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $soak = $ENV{TEMPORAL_SOAK};
my $count = $soak ? 1000 : 150;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
restart_after_crash = on
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# Those that are at fault, by the name of what they do.  The sequence counts
# the passes, and keeps what is rolled back.
my %poison = (
	spin => 'LOOP END LOOP;',
	stubborn => 'LOOP BEGIN LOOP END LOOP; EXCEPTION WHEN query_canceled THEN END; END LOOP;',
	steps => q{LOOP PERFORM temporal.step('s', 'SELECT 1'); END LOOP;},
	steps_caught => q{LOOP BEGIN PERFORM temporal.step('s', 'SELECT 1'); RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN END; END LOOP;},
	bug => 'PERFORM app.no_such_function();',
	write => 'CREATE TABLE app.written ();',
	cancel => q{RAISE EXCEPTION 'mine' USING ERRCODE = 'query_canceled';},
	shutdown => q{RAISE EXCEPTION 'mine' USING ERRCODE = 'admin_shutdown';},
	collide => q{RAISE EXCEPTION 'mine' USING ERRCODE = 'serialization_failure';},
	leave => 'PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(10);',
	again => q{LOOP PERFORM temporal.execute_activity('collision', maximum_attempts => 3); END LOOP;},
);

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
for my $name (sort keys %poison)
{
	sql(qq{
		CREATE SEQUENCE app.calls_$name;
		CREATE FUNCTION app.$name() RETURNS text LANGUAGE plpgsql AS \$\$
		BEGIN
			PERFORM app.count('$name');
			$poison{$name}
			RETURN 'it ended';
		END \$\$;});
}
# A workflow must not write, and counting is writing: so another session does.
sql(q{
	CREATE FUNCTION app.count(name text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		RAISE LOG 'pass of %', name;
	END $$;
});
sql("SELECT temporal.register_workflow('app.$_')") for sort keys %poison;

my $batch = 0;

# Runs the normal ones; how long that took, in seconds.
sub run_normal
{
	my $prefix = 'n' . ++$batch . '-';
	my $begun = time;

	sql(qq{SELECT count(temporal.start_workflow('normal', to_jsonb(i), workflow_id => '$prefix' || i)) FROM generate_series(1, $count) i});
	$node->poll_query_until('postgres', qq{SELECT count(*) = $count FROM temporal.workflows
		WHERE workflow_id LIKE '$prefix%' AND status = 'Completed'}) or return undef;
	return time - $begun;
}

sub passes
{
	my ($name) = @_;
	my $log = slurp_file($node->logfile);
	my $n = () = $log =~ /pass of $name\b/g;

	return $n;
}

for my $executors (1, 2)
{
	sql("ALTER SYSTEM SET temporal.executors = $executors; SELECT pg_reload_conf()");
	$node->poll_query_until('postgres', qq{SELECT count(*) = $executors FROM pg_stat_activity WHERE backend_type = 'temporal executor'}) or die;
	run_normal();
	my $alone = run_normal();

	for my $name (@ARGV ? @ARGV : sort keys %poison)
	{
		my $id = "$name-$executors";
		my $before = passes($name);

		sql(qq{SELECT temporal.start_workflow('$name', workflow_id => '$id')});
		my $beside = run_normal();
		ok(defined $beside, "$executors executors: normal ones complete beside $name");
		my $n = passes($name) - $before;
		note sprintf('%s, %d executors: %.2f s alone, %.2f s beside, ratio %.2f; %d passes', $name, $executors, $alone, $beside // -1, ($beside // -1) / $alone, $n);
		is(sql(qq{SELECT status FROM temporal.workflows WHERE workflow_id = '$id'}), 'Running', 'which goes on');
		sql(qq{SELECT temporal.terminate_workflow('$id')});
	}
}

done_testing();
