# The SQL of the README does what the README says.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'temporal'\nfsync = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION temporal');

my $readme = slurp_file('README.md');
my @blocks = $readme =~ /^```sql\n(.*?)^```/gms;
cmp_ok(scalar @blocks, '>=', 2, 'README shows SQL');

my $output = $node->safe_psql('postgres', join("\n", @blocks));
like($output, qr/^order-42$/m, 'the workflow is started');
like($output, qr/^"receipt 42"$/m, 'its result is awaited');
like($output, qr/^\d+\|ActivityTaskStarted\|2$/m, 'the history shows the second attempt');
is($node->safe_psql('postgres', 'SELECT order_id, amount FROM payment'),
	'42|9.99', 'one payment');
is($node->safe_psql('postgres', 'SELECT count(*) FROM temporal.status()'), '0', 'no problems');

$node->stop;
done_testing();
