# Tasks that are put back because another session holds what they need: they are
# not taken and put back without pause, and done soon when that is free again.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
temporal.executors = 2
temporal.extra_executors = 0
log_min_messages = debug1
});
$node->start;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub put_back
{
	my ($offset) = @_;
	my $times = () = slurp_file($node->logfile, $offset) =~ /was put back/g;

	return $times;
}

# The second attempt of hold() comes by the task queue, in company, and waits.
sql(q{
	CREATE EXTENSION temporal;
	CREATE SCHEMA app;
	CREATE FUNCTION app.hold() RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		IF (temporal.activity_info() ->> 'attempt')::integer = 1 THEN
			RAISE EXCEPTION 'later';
		END IF;
		PERFORM pg_advisory_xact_lock(1);
	END $$;
	CREATE FUNCTION app.await_it() RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM temporal.execute_activity('hold', initial_interval => '0.1 s');
		RETURN 'awaited';
	END $$;
	CREATE FUNCTION app.cancel_it() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		handle bigint := temporal.start_activity('hold', initial_interval => '0.1 s');
	BEGIN
		PERFORM temporal.await_signal('cancel');
		PERFORM temporal.cancel_handle(handle);
		RETURN 'cancelled';
	END $$;
	SELECT temporal.register_activity('app.hold'), temporal.register_workflow('app.await_it'), temporal.register_workflow('app.cancel_it')});

my $gate = $node->background_psql('postgres');
my $other = $node->background_psql('postgres');

# Starts a workflow, and waits until its activity does.
sub start
{
	my ($workflow) = @_;

	$gate->query_safe('SELECT pg_advisory_lock(1)');
	sql("SELECT temporal.start_workflow('$workflow', workflow_id => '$workflow')");
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1}),
		"$workflow: an executor is with the activity");
	return -s $node->logfile;
}

sub ends
{
	my ($workflow, $result) = @_;

	is(sql("CALL temporal.await_result('$workflow', '$PostgreSQL::Test::Utils::timeout_default s')"), $result, "$workflow: it ends");
}

my $offset = start('await_it');
$other->query_safe(q{BEGIN; SELECT temporal.signal_workflow('await_it', 'x')});
$gate->query_safe('SELECT pg_advisory_unlock(1)');
sql('SELECT pg_sleep(2)');
$other->query_safe('COMMIT');
ends('await_it', '"awaited"');
my $times = put_back($offset);
cmp_ok($times, '>', 0, 'await_it: an activity whose run is held is put back');
cmp_ok($times, '<', 30, 'await_it: but not without pause');

$offset = start('cancel_it');
sql(q{SELECT temporal.signal_workflow('cancel_it', 'cancel')});
sql('SELECT pg_sleep(2)');
$times = put_back($offset);
$gate->query_safe('SELECT pg_advisory_unlock(1)');
ends('cancel_it', '"cancelled"');
cmp_ok($times, '>', 0, 'cancel_it: a workflow task that cancels an activity that is held is put back');
cmp_ok($times, '<', 60, 'cancel_it: but not without pause');

$gate->quit;
$other->quit;
$node->stop;
done_testing();
