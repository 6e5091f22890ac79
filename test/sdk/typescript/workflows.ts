import {
  ActivityCancellationType,
  condition,
  defineSignal,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  upsertMemo,
  uuid4,
} from '@temporalio/workflow';
import type * as activities from './activities';

const retry = { initialInterval: 20 };
const { greet, failUntil, failForGood, rememberHeartbeat, completeLater } = proxyActivities<typeof activities>({
  startToCloseTimeout: '20 s',
  heartbeatTimeout: '5 s',
  retry,
});
const { beatUntilCancelled } = proxyActivities<typeof activities>({
  startToCloseTimeout: '20 s',
  heartbeatTimeout: '2 s',
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});
const impatient = proxyActivities<typeof activities>({ startToCloseTimeout: '1 s', retry: { maximumAttempts: 1 } });
const local = proxyLocalActivities<typeof activities>({ startToCloseTimeout: '20 s', retry });

export const add = defineSignal<[string]>('add');

export async function hello(name: string): Promise<string> {
  return await greet(name);
}

export async function chain(steps: number): Promise<number> {
  for (let i = 0; i < steps; i++) {
    await greet(`${i}`);
    await sleep(10);
  }
  return steps;
}

export async function fanout(width: number): Promise<number> {
  return new Set(await Promise.all(Array.from({ length: width }, (_, i) => greet(`${i}`)))).size;
}

export async function retries(attempt: number): Promise<number> {
  return await failUntil(attempt);
}

export async function failures(): Promise<void> {
  await failForGood();
}

export async function timeouts(): Promise<void> {
  await impatient.sleepLong();
}

export async function heartbeatDetails(): Promise<string> {
  return await rememberHeartbeat();
}

export async function cancelled(): Promise<void> {
  await beatUntilCancelled();
}

export async function timers(): Promise<string[]> {
  const order: string[] = [];
  const wait = async (name: string, ms: number) => {
    await sleep(ms);
    order.push(name);
  };
  await Promise.all([wait('late', 300), wait('early', 50)]);
  return order;
}

export async function signals(wanted: number): Promise<string[]> {
  const got: string[] = [];
  setHandler(add, (text) => void got.push(text));
  await condition(() => got.length >= wanted);
  return got;
}

export async function locals(): Promise<number> {
  return await local.failUntil(3);
}

export async function deterministic(): Promise<string> {
  const id = uuid4();
  const isPatched = patched('second-version');
  await sleep(20);
  return `${id} ${isPatched}`;
}

export async function attributes(): Promise<void> {
  upsertMemo({ mood: 'good' });
  await sleep(10);
}

export async function later(): Promise<string> {
  return await completeLater();
}

export async function endless(): Promise<void> {
  await condition(() => false);
}
