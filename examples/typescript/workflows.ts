import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities';

const options = { startToCloseTimeout: '30 s' } as const;
const { ship } = proxyActivities<typeof activities>(options);
// A function in the database, exactly once.
const { charge } = proxyActivities<{ charge(order: activities.Order): Promise<string> }>({
  ...options,
  taskQueue: 'payments',
});

export async function Order(order: activities.Order): Promise<string> {
  return `${await charge(order)}, ${await ship(order)}`;
}
