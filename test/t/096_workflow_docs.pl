# Every snippet of docs/workflows.md is run, and does what the page says.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('docs');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'\nfsync = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION temporal; CREATE TABLE payment (order_id bigint)');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

# The result of a workflow that is started now, or was already.
sub result
{
	my ($workflow, @input) = @_;

	sql("SELECT temporal.start_workflow('$workflow', $input[0], workflow_id => '$workflow')") if @input;
	return sql("CALL temporal.await_result('$workflow', timeout => '60 s')");
}

sub eventually
{
	my ($query, $name) = @_;

	ok($node->poll_query_until('postgres', $query), $name);
}

# What is tried out after the snippet that has the text.
my @checks = (
	[ q{register_workflow('fulfil')}, sub {
		like($_[0], qr/^order-42$/m, 'a workflow is started');
		sql(q{SELECT temporal.signal_workflow('order-42', 'approved')});
		eventually(q{SELECT count(*) = 1 FROM payment}, 'and runs by itself');
		eventually(q{SELECT count(*) = 1 FROM temporal.pending_timers}, 'until it sleeps');
		sql(q{CREATE FUNCTION fulfil_new(order_id bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'at once' $$});
	} ],
	[ q{register_workflow('greet')}, sub { like(result('greet', q{'1'}), qr/^"Dear Ada, it is 20\d\d"$/, 'what is read by a step') } ],
	[ q{register_activity('import_orders'}, sub {
		sql(q{CREATE FUNCTION import_all() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN temporal.execute_activity('import_orders', 'f'::text, result => 0::bigint); END $$;
			SELECT temporal.register_workflow('import_all')});
		is(result('import_all', 'NULL'), '1000', 'a long activity');
	} ],
	[ q{replay('fulfil_new'}, sub {
		like($_[0], qr/^order-42\|it has ended with CompleteWorkflowExecution, and the history has event \d+, ActivityTaskScheduled "charge_card"/m,
			'a function that does not fit is found out');
	} ],
	[ q{register_workflow('evening_out')}, sub {
		like(result('evening_out', 'NULL'), qr/^"we stay: .*violates check constraint/, 'a saga is undone');
		is(sql(q{SELECT string_agg(free::text, ' ' ORDER BY kind) FROM seat}), '0 5', 'all of it');
	} ],
	[ q{register_workflow('resize_all')}, sub { is(result('resize_all', q{'25'}), '32500', 'a fan-out') } ],
	[ q{register_workflow('watch_parcel')}, sub { sql(q{SELECT temporal.start_workflow('watch_parcel', '7', workflow_id => 'watch_parcel')}) } ],
	[ q{register_workflow('watch_slowly')}, sub {
		sql(q{SELECT temporal.start_workflow('watch_slowly', '7', workflow_id => 'watch_slowly')});
		eventually(q{SELECT attempt > 2 FROM temporal.pending_activities WHERE workflow_id = 'watch_parcel'}, 'it is asked again');
		eventually(q{SELECT count(*) > 2 FROM temporal.history('watch_slowly') WHERE event_type = 'TimerFired'}, 'and in a loop');
		sql('UPDATE parcel SET delivered = true');
		is(result($_), '"delivered"', "$_ sees it") for 'watch_parcel', 'watch_slowly';
	} ],
	[ q{register_workflow('approval')}, sub {
		sql(q{SELECT temporal.start_workflow('approval', '"Eve"', workflow_id => 'no answer')});
		sql(q{SELECT temporal.start_workflow('approval', '"Ada"', workflow_id => 'approval');
			SELECT temporal.signal_workflow('approval', 'decision', 'true')});
		is(result('approval'), '"approved"', 'an approval');
		is(result('no answer'), '"nobody has decided"', 'or none');
		is(sql('SELECT who, count(*) FROM reminder GROUP BY who'), 'Eve|3', 'after three reminders');
	} ],
	[ q{register_workflow('quote_or_default')}, sub { is(result('quote_or_default', 'NULL'), '"the usual price"', 'what comes first') } ],
	[ q{register_workflow('basket')}, sub {
		sql(q{SELECT temporal.start_workflow('basket', workflow_id => 'basket')});
		sql("SELECT temporal.signal_workflow('basket', $_)") for q{'add', '"tea"'}, q{'empty'}, q{'add', '"milk"'}, q{'add', '"rum"'}, q{'check out'};
		is(result('basket'), '["milk", "rum"]', 'signals in a loop');
	} ],
	[ q{register_workflow('agent')}, sub { is(result('agent', q{'"How many?"'}), '"1"', 'an agent') } ],
	[ q{register_workflow('night')}, sub {
		sql(q{SELECT temporal.start_workflow('night', '"2026-01-01"', workflow_id => 'night-2026-01-01')});
		eventually(q{SELECT bool_or(day = '2026-01-03') FROM closed}, 'night after night');
		is(sql(q{SELECT count(*) - count(DISTINCT day) FROM closed}), '0', 'each of them once');
		sql(q{SELECT temporal.unregister_workflow('night')});
	} ],
	[ q{'"receipt 1"'}, sub {
		like($_[0], qr/^"receipt 1"$/m, 'a week passes in a test');
		is(sql('SELECT count(*) FROM payment'), '1', 'and leaves nothing');
	} ],
	[ q{'unlucky'}, sub { like($_[0], qr/^Failed\|$/m, 'a test with bad luck') } ],
);

for my $snippet (slurp_file('docs/workflows.md') =~ /^```sql\n(.*?)^```/gms)
{
	my ($check) = grep { index($snippet, $_->[0]) >= 0 } @checks;
	my ($title) = $snippet =~ /(.*)/;
	my ($status, $output, $error) = $node->psql('postgres', $snippet, on_error_stop => 1);

	is($status, 0, "it runs: $title") or diag($error);
	unlike($error // '', qr/WARNING/, 'without a warning');
	ok($check, 'and something is known of it') or next;
	$check->[1]->($output);
	@checks = grep { $_ != $check } @checks;
}
is(join(', ', map { $_->[0] } @checks), '', 'every check has a snippet');

$node->stop;
done_testing();
