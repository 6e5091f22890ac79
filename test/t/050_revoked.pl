# Roles whose rights or namespaces were taken away have tasks, and nobody tries to
# do them.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_worker_processes = 16
temporal.executors = 2
});
$node->start;

my @revoked = ('r1', 'r2', 'r3');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub until_true
{
	my ($query, $name) = @_;

	ok($node->poll_query_until('postgres', $query), $name);
}

sub outcome
{
	my ($id) = @_;

	return sql("CALL temporal.await_result('$id', '60 s')");
}

sql(q{CREATE EXTENSION temporal});
for my $role (@revoked, 'r4')
{
	sql(qq{
		CREATE ROLE $role LOGIN;
		SELECT temporal.grant_usage('$role', 'default', unnest(ARRAY['client', 'worker', 'viewer']));
		CREATE SCHEMA $role AUTHORIZATION $role;
		SET SESSION AUTHORIZATION $role;
		CREATE FUNCTION $role.f() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN temporal.await_signal(''go''); END';
		SELECT temporal.register_workflow('$role.f', '$role', task_queue => '$role');
		SELECT temporal.start_workflow('$role', workflow_id => '$role')});
	until_true("SELECT waiting_for = 'signal go' FROM temporal.workflows WHERE workflow_id = '$role'", "workflow of $role waits");
}
sql("SELECT temporal.revoke_usage('$_', 'default', 'worker')") for @revoked;
my $executors = q{FROM pg_stat_activity WHERE backend_type = 'temporal executor'};
until_true("SELECT count(*) = 2 AND bool_and(usename = 'r4') $executors", 'the executors are for who is left');

my $offset = -s $node->logfile;
my $pids = "SELECT string_agg(pid::text, ' ' ORDER BY pid) $executors";
my $before = sql($pids);
sql(qq{SELECT temporal.signal_workflow('$_', 'go', '"on"')}) for @revoked, 'r4';
is(outcome('r4'), '"\"on\""', 'who has the right goes on');
is(sql($pids), $before, 'no executor begins or ends');
unlike(slurp_file($node->logfile, $offset), qr/put back/, 'no task of the others is tried');

sql("SELECT temporal.grant_usage('$_', 'default', 'worker')") for @revoked;
is(outcome($_), '"\"on\""', "$_ goes on when it has the right again") for @revoked;

sql(q{ALTER SYSTEM SET temporal.executors = 6; SELECT pg_reload_conf();
	CREATE ROLE r5 LOGIN;
	SELECT temporal.rpc('RegisterNamespace', '{"namespace": "short", "workflow_execution_retention_period": "86400s"}');
	SELECT temporal.grant_usage('r5', 'short', unnest(ARRAY['client', 'worker']));
	CREATE SCHEMA r5 AUTHORIZATION r5;
	SET SESSION AUTHORIZATION r5;
	CREATE FUNCTION r5.f() RETURNS void LANGUAGE sql AS '';
	SELECT temporal.register_workflow('r5.f', namespace => 'short')});
until_true("SELECT count(DISTINCT usename) = 5 $executors", 'all have executors');
$offset = -s $node->logfile;
sql(q{BEGIN;
	SELECT temporal.start_workflow('f', namespace => 'short');
	SELECT temporal.rpc('UpdateNamespace', '{"namespace": "short", "update_info": {"state": "NAMESPACE_STATE_DELETED"}}');
	COMMIT});
until_true("SELECT count(*) FILTER (WHERE usename = 'r5') = 0 AND count(DISTINCT usename) = 4 $executors", 'that of a namespace that is deleted goes');
my $attempts = () = slurp_file($node->logfile, $offset) =~ /put back/g;
cmp_ok($attempts, '<=', 2, 'when it has seen that there is nothing to do');

done_testing();
