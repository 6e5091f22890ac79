# Wake-up through shared memory: who is woken when, what a rollback gives back,
# and that it does no harm without shared memory.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $no_bound = '-9223372036854775808';
my ($queue, $closed) = (0, 1);    # what one can wait for
my $long = 1000 * $PostgreSQL::Test::Utils::timeout_default;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'temporal'
max_prepared_transactions = 5
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION wake_test');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# A psql that is about to wait.
sub start_session
{
	my ($kind, $channel, $name) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);

	$session->query_safe("SET application_name = '$name'");
	$session->query_until(qr/waiting/, "\\echo waiting\nCALL wait($kind, $channel, $long);\n");
	return $session;
}

# One that waits: its backend is in the registry when this returns.
sub start_waiting
{
	my ($kind, $channel, $name) = @_;
	my $session = start_session($kind, $channel, $name);

	$node->poll_query_until(
		'postgres', qq{
		SELECT EXISTS (SELECT FROM pg_stat_activity
			WHERE application_name = '$name' AND wait_event_type = 'Extension')})
	  or die "$name does not wait";
	return $session;
}

sub still_waiting
{
	return sql(q{
		SELECT coalesce(string_agg(application_name, ' ' ORDER BY application_name), '')
		FROM pg_stat_activity WHERE application_name LIKE 'waiter%' AND wait_event_type = 'Extension'});
}

sub waiting_are
{
	my ($expected, $name) = @_;

	ok( $node->poll_query_until(
			'postgres', q{
		SELECT coalesce(string_agg(application_name, ' ' ORDER BY application_name), '')
		FROM pg_stat_activity WHERE application_name LIKE 'waiter%'
			AND wait_event_type = 'Extension'},
			$expected),
		$name);
}

note 'waiters';

my %session = map { $_ => start_waiting($queue, 1, "waiter$_") } 1 .. 3;
sql('BEGIN; SELECT mark_queue(1); ROLLBACK');
is(still_waiting(), 'waiter1 waiter2 waiter3', 'a rollback wakes nobody');
sql('SELECT mark_queue(2)');
is(still_waiting(), 'waiter1 waiter2 waiter3', 'another queue wakes nobody');
sql('SELECT mark_closed(1)');
is(still_waiting(), 'waiter1 waiter2 waiter3', 'the end of a run is no task');
sql('SELECT mark_queue(1)');
waiting_are('waiter2 waiter3', 'a commit wakes who has waited longest, and nobody else');
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'waiter2'");
waiting_are('waiter3', 'a wait can be cancelled');
sql('SELECT mark_queue(1)');
waiting_are('', 'the next waiter is woken when one is gone');
$_->quit for values %session;

%session = map { $_ => start_waiting($closed, 1, "waiter$_") } 1 .. 2;
sql('SELECT mark_closed(1)');
waiting_are('', 'the end of a run wakes everybody');
$_->quit for values %session;

%session = (1 => start_waiting($queue, 1, 'waiter1'));
sql('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ' . "'waiter1'");
waiting_are('', 'a waiter is terminated');
is(sql('SELECT has_recent_poller(1, 1000)'), 'f', 'and leaves nothing behind');
$session{1}{run}->finish;
is(sql('CALL wait(0, 1, 1)'), 'f', 'a wait ends at its deadline');

note 'bounds of claims';

is(sql('SELECT lower_bound(10)'), $no_bound, 'at first a claim looks everywhere');
sql('BEGIN; SELECT lower_bound(10), raise_bound(10, 100); COMMIT');
is(sql('SELECT lower_bound(10)'), '100', 'then from where the last one has ended');
sql('SELECT raise_bound(10, 999)');
is(sql('SELECT lower_bound(10)'), '100', 'who has begun no claim cannot raise it');
sql('BEGIN; SELECT lower_bound(10), raise_bound(10, 200); ROLLBACK');
is(sql('SELECT lower_bound(10)'), '100', 'a rollback lowers it');
sql(q{
	BEGIN; SAVEPOINT s; SELECT lower_bound(10), raise_bound(10, 200);
	ROLLBACK TO s; COMMIT});
is(sql('SELECT lower_bound(10)'), '100', 'so does that of a subtransaction');
sql(q{
	BEGIN; SAVEPOINT s; SELECT lower_bound(10), raise_bound(10, 200);
	RELEASE s; SELECT lower_bound(10), raise_bound(10, 300); ROLLBACK});
is(sql('SELECT lower_bound(10)'), '100', 'and that of what released one');
sql('BEGIN; SELECT mark_task(10, 50); ROLLBACK');
is(sql('SELECT lower_bound(10)'), '100', 'a task that was rolled back does not');
sql('SELECT mark_task(10, 50)');
is(sql('SELECT lower_bound(10)'), '50', 'an older task does when it commits');

my $claimer = $node->background_psql('postgres');
$claimer->query_safe('BEGIN');
$claimer->query_safe('SELECT lower_bound(10)');
sql('SELECT mark_task(10, 70)');
$claimer->query_safe('SELECT raise_bound(10, 200)');
$claimer->query_safe('COMMIT');
$claimer->quit;
is(sql('SELECT lower_bound(10)'), '70', 'a claim does not skip what was committed after its begin');

note 'lost claims';

sql('BEGIN; SELECT note_claim(1); COMMIT');
sql('BEGIN; SELECT note_claim(2); ROLLBACK');
sql(q{
	BEGIN; SELECT note_claim(3); SAVEPOINT s; SELECT note_claim(4);
	ROLLBACK TO s; SELECT note_claim(5); COMMIT});
is(sql('SELECT take_lost_claims()'), '{2,4}', 'claims that were rolled back are found');
is(sql('SELECT take_lost_claims()'), '{}', 'once');

note 'pollers';

is(sql('SELECT has_recent_poller(20, 1000000)'), 'f', 'no poller');
sql(q{SELECT note_poller(20, 'somebody')});
is(sql('SELECT has_recent_poller(20, 1000000)'), 't', 'a poller');
sql(q{SELECT note_poller(q, 'p' || n) FROM generate_series(100, 300) q, generate_series(1, 100) n});
is(sql('SELECT has_recent_poller(300, 1000000)'), 't', 'more pollers than there is room for');

note 'what the keeper does';

sql('CREATE EXTENSION temporal');
my $listener = $node->background_psql('postgres');
is($listener->query_safe('SELECT listen(30)'), 't', 'a session listens to a queue');
$listener->query_safe('LISTEN "temporal_000000000000001e"');
sql('SELECT mark_queue(30)');
my $notified = 0;
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
	last if $notified = $listener->query('SELECT pg_sleep(0.1)') =~ /"temporal_000000000000001e"/;
}
ok($notified, 'the keeper notifies it');
$listener->quit;

# Rows of ours make it a transaction of ours.
sql(q{
	BEGIN; LOCK TABLE temporal.task IN ROW EXCLUSIVE MODE; SELECT mark_queue(40);
	PREPARE TRANSACTION 'ours'});
my $waiter = start_session($queue, 40, 'waiter1');
ok($waiter->query_until(qr/woken/, "\\echo woken\n"), 'while a transaction of ours is prepared, a sweep wakes who waits');
sql(q{COMMIT PREPARED 'ours'});
$waiter->quit;

# More than the list has room for.
%session = map { $_->[0] => start_waiting($queue, $_->[1], $_->[0]) } (['waiter1', 1010], ['waiter2', 1100]);
sql('BEGIN; SELECT note_claim(n) FROM generate_series(1001, 1300) n; ROLLBACK');
waiting_are('', 'however many claims are rolled back, who waits for the tasks is woken');
$_->quit for values %session;

note 'who polls';

my $lonely = q{SELECT detail FROM temporal.status() WHERE problem = 'nobody polls'};
sql(q{SELECT temporal.register_namespace('elsewhere')});
sql(q{SET temporal.clock_offset = '-2min'; SELECT temporal.start_workflow('w', workflow_id => 'lonely', task_queue => 'lonely')});
like(sql($lonely), qr/^1 tasks wait in workflow queue "lonely" since /, 'nobody polls a queue');
sql(q{SELECT temporal.poll_workflow_task('lonely', namespace => 'elsewhere')});
like(sql($lonely), qr/^1 tasks wait in workflow queue "lonely" since /, 'nor does who polls the one of that name in another namespace');
sql(q{BEGIN; SELECT temporal.poll_workflow_task('lonely'); ROLLBACK});
is(sql($lonely), '', 'now somebody does');

note 'without shared memory';

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
sql('DROP EXTENSION temporal');
ok(sql('CREATE EXTENSION temporal; SELECT true'), 'the extension can be created');
$node->stop;

done_testing();
