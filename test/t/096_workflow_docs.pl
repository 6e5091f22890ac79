# The SQL of docs/workflows.md runs.
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

my $docs = slurp_file('docs/workflows.md');
my @blocks = $docs =~ /^```sql\n(.*?)^```/gms;
is(scalar @blocks, 3, 'the page shows SQL');

like($node->safe_psql('postgres', $blocks[0]), qr/^order-42$/m, 'a workflow is started');
is($node->safe_psql('postgres', "SELECT temporal.signal_workflow('order-42', 'approved')"), '', 'and approved');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM payment}), 'and runs by itself');
$node->safe_psql('postgres', q{CREATE FUNCTION fulfil_new(order_id bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'at once' $$});
$node->poll_query_until('postgres', q{SELECT EXISTS (SELECT FROM temporal.pending_timers)});
like($node->safe_psql('postgres', $blocks[1]), qr/^order-42\|it has ended with CompleteWorkflowExecution, and the history has event \d+, ActivityTaskScheduled "charge_card"/m,
	'a function that does not fit is found out');
like($node->safe_psql('postgres', $blocks[2]), qr/^"receipt 1"$/m, 'a week passes in a test');
is($node->safe_psql('postgres', 'SELECT count(*) FROM payment'), '1', 'and leaves nothing');

$node->stop;
done_testing();
