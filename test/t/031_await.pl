# CALL temporal.await_result() and execute_workflow(): who waits is told how the
# run has ended, by a committed transaction only, or looks for itself when that
# does not fit.

use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
# Nobody else brings to disk what we write.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'\nwal_writer_delay = '10s'");
$node->start;

# complete(): the next workflow task of a queue ends its workflow.
$node->safe_psql('postgres', q{
	CREATE EXTENSION temporal;
	CREATE FUNCTION complete(result jsonb) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		task jsonb := temporal.poll_workflow_task('q');
	BEGIN
		PERFORM temporal.complete_workflow_task(task ->> 'taskToken', jsonb_build_array(jsonb_build_object(
			'commandType', 'COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION',
			'completeWorkflowExecutionCommandAttributes',
			jsonb_build_object('result', jsonb_build_object('payloads', jsonb_build_array(result))))));
		RETURN task #>> '{workflowExecution,workflowId}';
	END
	$$;
});

sub start_psql
{
	my ($statement, $output, $errors) = @_;

	return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ],
		'<', \undef, '>', $output, '2>', $errors);
}

# Until so many sessions wait for the end of a run.
sub waits
{
	my ($sessions) = @_;

	return $node->poll_query_until('postgres', qq{
		SELECT count(*) = $sessions FROM pg_stat_activity WHERE wait_event IN ('TemporalRunClosed', 'Extension')
		AND query ~ '^CALL'});
}

# What a CALL prints, and as an error, when others do something as it waits.
sub told
{
	my ($call, @statements) = @_;
	my $session = start_psql($call, \my $output, \my $errors);

	ok(waits(1), "it waits: $call");
	$node->safe_psql('postgres', $_) for @statements;
	$session->finish;
	chomp $output;
	return ($output, $errors);
}

my $execute = "CALL temporal.execute_workflow('w', workflow_id => 'ID', task_queue => 'q')";

sub execute
{
	my ($id, @statements) = @_;

	return told($execute =~ s/ID/$id/r, @statements);
}

is((execute('small', q{SELECT complete('{"a": [1, null]}')}))[0], '{"a": [1, null]}', 'a result');
is((execute('none', q{SELECT complete('null')}))[0], 'null', 'a null');
is((execute('long', q{SELECT complete(to_jsonb(repeat('x', 1000)))}))[0], '"' . 'x' x 1000 . '"', 'a result that is long');
for my $length (150 .. 240)
{
	is((execute("l$length", "SELECT complete(to_jsonb(repeat('x', $length)))"))[0],
		'"' . 'x' x $length . '"', "a result of $length characters");
}

like((execute('short', q{SELECT temporal.terminate_workflow('short', 'enough')}))[1],
	qr/workflow "short" was terminated: enough/, 'a termination');
like((execute('reasons', q{SELECT temporal.terminate_workflow('reasons', repeat('y', 900))}))[1],
	qr/workflow "reasons" was terminated: y{900}/, 'a termination for a long reason');

# What is rolled back has not happened.
is((execute('undone', q{
		BEGIN;
		SAVEPOINT s;
		SELECT temporal.terminate_workflow('undone', 'not really');
		ROLLBACK TO SAVEPOINT s;
		COMMIT}, q{SELECT complete('"really"')}))[0], '"really"', 'an end that was rolled back to a savepoint');
is((execute('twice', q{
		BEGIN;
		SAVEPOINT s;
		SELECT complete('"not really"');
		ROLLBACK TO SAVEPOINT s;
		SAVEPOINT s;
		SELECT complete('"really"');
		RELEASE SAVEPOINT s;
		COMMIT}))[0], '"really"', 'the second of two ends');
is((execute('inner', q{
		BEGIN;
		SAVEPOINT a;
		SAVEPOINT b;
		SELECT complete('"not really"');
		RELEASE SAVEPOINT b;
		ROLLBACK TO SAVEPOINT a;
		COMMIT}, q{SELECT complete('"really"')}))[0], '"really"', 'an end inside of what was rolled back');
is((execute('whole', q{BEGIN; SELECT complete('"not really"'); ROLLBACK}, q{SELECT complete('"really"')}))[0],
	'"really"', 'an end that was rolled back');

# Somebody who waits for a run that was there, and for a request that is repeated.
$node->safe_psql('postgres', q{SELECT temporal.start_workflow('w', workflow_id => 'there', task_queue => 'q')});
is((told(q{CALL temporal.await_result('there')}, q{SELECT complete('7')}))[0], '7', 'a run that was there');
is($node->safe_psql('postgres', q{CALL temporal.await_result('there')}), '7', 'a run that has ended');
my $repeated = "CALL temporal.execute_workflow('w', workflow_id => 'again', task_queue => 'q', request_id => 'r')";
is((told($repeated, q{SELECT complete('8')}))[0], '8', 'a request with an id');
is($node->safe_psql('postgres', $repeated), '8', 'the same request when the run has ended');

# Many who wait for one run, and one whose time is over.
my @outputs = ('') x 20;
my @sessions = map { start_psql(q{CALL temporal.execute_workflow('w', workflow_id => 'many', task_queue => 'q',
	id_conflict_policy => 'UseExisting')}, \$outputs[$_], \my $errors) } 0 .. $#outputs;
ok(waits(scalar @outputs), 'many wait for one run');
$node->safe_psql('postgres', q{SELECT complete('9')});
$_->finish for @sessions;
is(join('', @outputs), "9\n" x @outputs, 'all are told');
my (undef, undef, $errors) = $node->psql('postgres', q{CALL temporal.execute_workflow('w', workflow_id => 'late',
	task_queue => 'q', timeout => '1 ms')});
like($errors, qr/workflow "late" is still running/, 'one that waits no longer');
is($node->safe_psql('postgres', q{SELECT complete('1')}), 'late', 'its workflow goes on');

# The start is on disk by the time that anybody is told of it, be it by an error.
sub survives
{
	my ($what) = @_;

	$node->stop('immediate');
	$node->start;
	is($node->safe_psql('postgres', q{SELECT complete('1')}), 'crashed', "a crash after $what");
}

my $crashed = "CALL temporal.execute_workflow('w', workflow_id => 'crashed', task_queue => 'q'";

$node->psql('postgres', "$crashed, timeout => '1 ms')");
survives('the time is over');
my $cancelled = start_psql("$crashed)", \my $output, \$errors);
ok(waits(1), 'one waits');
$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^CALL'});
$cancelled->finish;
like($errors, qr/canceling statement/, 'it is cancelled');
survives('it was cancelled');

# Not waiting for the disk leaves no trace in the session's setting.
$node->safe_psql('postgres', q{
	CREATE TABLE checked (n integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO checked VALUES (1);
});
for (['off', 'SET LOCAL synchronous_commit = on'], ['on', 'SET LOCAL synchronous_commit = local'],
	['on', 'SET synchronous_commit = local; INSERT INTO checked VALUES (1)'])
{
	my ($level, $set) = @$_;
	my (undef, $shown) = $node->psql('postgres', qq{
		SET synchronous_commit = $level;
		DO \$\$
		DECLARE
			result jsonb;
		BEGIN
			$set;
			CALL temporal.execute_workflow('w', task_queue => 'nobody', timeout => '1 ms', result => result);
		END
		\$\$;
		SHOW synchronous_commit}, on_error_stop => 0);
	is($shown, $level, "synchronous_commit is $level after: $set");
}

$node->stop;
done_testing();
