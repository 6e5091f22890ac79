// The TypeScript SDK as it comes from npm: client, worker, replay.
import { Client, Connection, isGrpcServiceError, WorkflowExecutionAlreadyStartedError, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import * as activities from './activities';
import * as w from './workflows';

declare const process: { env: Record<string, string>; argv: string[]; exit(code: number): never };
declare const require: { resolve(name: string): string };
declare const console: { log(text: string): void };
declare function setTimeout(callback: () => void, ms: number): unknown;

const address = process.env.TEMPORAL_ADDRESS;
const workflowsPath = require.resolve('./workflows');
const timeoutMs = 90000;
let client: Client;
let native: NativeConnection;
let serial = 0;

function check(ok: unknown, text: string): asserts ok {
  if (!ok) throw new Error(text);
}

function equal(actual: unknown, expected: unknown): void {
  check(JSON.stringify(actual) === JSON.stringify(expected), `${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`);
}

const unique = (prefix: string) => `ts-${prefix}-${Date.now()}-${serial++}`;
const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

async function until(condition: () => unknown): Promise<void> {
  while (!condition()) await pause(20);
}

async function raises(promise: Promise<unknown>): Promise<any> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('no error');
}

async function withWorker<T>(body: (taskQueue: string) => Promise<T>, options: object = {}, taskQueue = unique('queue')): Promise<T> {
  const worker = await Worker.create({ connection: native, taskQueue, workflowsPath, activities, ...options });
  return await worker.runUntil(body(taskQueue));
}

const run = (workflow: any, args: unknown[] = [], options: object = {}) =>
  withWorker((taskQueue) => client.workflow.execute(workflow, { workflowId: unique('run'), taskQueue, args }), options);

const cause = async (workflow: any, args: unknown[] = []) => {
  const error = await raises(run(workflow, args));
  check(error instanceof WorkflowFailedError, `${error} is no WorkflowFailedError`);
  return error.cause;
};

const tests: Record<string, () => Promise<void>> = {
  'the server is healthy': async () => {
    const answer = await (client.connection as Connection).healthService.check({});
    equal(answer.status, 1);
  },
  'a workflow says hello': async () => equal(await run(w.hello, ['World']), 'Hello, World!'),
  'a worker stops at once when idle': async () => {
    const began = Date.now();
    await withWorker(() => pause(100));
    check(Date.now() - began < 20000, 'too slow');
  },
  'activities follow each other from the cache': async () => equal(await run(w.chain, [8]), 8),
  'every step is replayed without a cache': async () => equal(await run(w.chain, [5], { maxCachedWorkflows: 0 }), 5),
  'fifty activities run side by side': async () => equal(await run(w.fanout, [50]), 50),
  'an activity is retried': async () => equal(await run(w.retries, [4]), 4),
  'a failure arrives with type and details': async () => {
    const error = await cause(w.failures);
    check(error instanceof ActivityFailure && error.cause instanceof ApplicationFailure, `${error}`);
    equal([error.cause.type, error.cause.message, error.cause.details], ['Never', 'never', [42]]);
  },
  'an activity times out': async () => {
    const error = await cause(w.timeouts);
    check(error?.cause instanceof TimeoutFailure, `${error}`);
    equal(error.cause.timeoutType, 'START_TO_CLOSE');
  },
  'heartbeat details reach the next attempt': async () => equal(await run(w.heartbeatDetails), 'from the first attempt'),
  'cancellation reaches a heartbeating activity': () =>
    withWorker(async (taskQueue) => {
      const handle = await client.workflow.start(w.cancelled, { workflowId: unique('run'), taskQueue });
      await until(() => activities.seen.beating);
      await handle.cancel();
      const error = await raises(handle.result());
      check(error.cause instanceof CancelledFailure, `${error.cause}`);
    }),
  'timers fire in order': async () => equal(await run(w.timers), ['early', 'late']),
  'signals arrive in order': () =>
    withWorker(async (taskQueue) => {
      const handle = await client.workflow.start(w.signals, { workflowId: unique('run'), taskQueue, args: [20] });
      const sent = Array.from({ length: 20 }, (_, i) => `${i}`);
      for (const text of sent) await handle.signal(w.add, text);
      equal(await handle.result(), sent);
    }),
  'a signal starts a workflow': () =>
    withWorker(async (taskQueue) => {
      const workflowId = unique('run');
      const signal = (text: string) =>
        client.workflow.signalWithStart(w.signals, { workflowId, taskQueue, args: [2], signal: w.add, signalArgs: [text] });
      await signal('one');
      equal(await (await signal('two')).result(), ['one', 'two']);
    }),
  'a workflow is terminated': () =>
    withWorker(async (taskQueue) => {
      const handle = await client.workflow.start(w.endless, { workflowId: unique('run'), taskQueue });
      await handle.terminate('because');
      const error = await raises(handle.result());
      check(error.cause instanceof TerminatedFailure, `${error.cause}`);
    }),
  'local activities run': async () => equal(await run(w.locals), 3),
  'patches and random values survive replay': async () => {
    await withWorker(
      async (taskQueue) => {
        const handle = await client.workflow.start(w.deterministic, { workflowId: unique('run'), taskQueue });
        check((await handle.result()).endsWith(' true'), 'not patched');
        await Worker.runReplayHistory({ workflowsPath }, await handle.fetchHistory());
      },
      { maxCachedWorkflows: 0 },
    );
  },
  'the memo is kept': () =>
    withWorker(async (taskQueue) => {
      const handle = await client.workflow.start(w.attributes, { workflowId: unique('run'), taskQueue, memo: { mood: 'bad', size: 3 } });
      await handle.result();
      const description = await handle.describe();
      equal(description.memo?.mood, 'good');
      equal(description.memo?.size, 3);
      equal(description.status.name, 'COMPLETED');
    }),
  'an activity is completed from outside': () =>
    withWorker(async (taskQueue) => {
      const handle = await client.workflow.start(w.later, { workflowId: unique('run'), taskQueue });
      await until(() => activities.seen.token);
      await client.activity.complete(activities.seen.token!, 'done');
      equal(await handle.result(), 'done');
    }),
  'a run goes on after its worker': async () => {
    const taskQueue = unique('queue');
    const handle = await withWorker(
      async () => {
        const started = await client.workflow.start(w.signals, { workflowId: unique('run'), taskQueue, args: [2] });
        await started.signal(w.add, 'one');
        await pause(300);
        return started;
      },
      {},
      taskQueue,
    );
    await handle.signal(w.add, 'two');
    await withWorker(async () => equal(await handle.result(), ['one', 'two']), {}, taskQueue);
  },
  'starting twice is an error of its own': async () => {
    const options = { workflowId: unique('run'), taskQueue: unique('nobody'), args: ['x'] as [string] };
    await client.workflow.start(w.hello, options);
    const error = await raises(client.workflow.start(w.hello, options));
    check(error instanceof WorkflowExecutionAlreadyStartedError, `${error}`);
  },
  'client errors have their type': async () => {
    const missing = client.workflow.getHandle('no such workflow');
    for (const call of [() => missing.describe(), () => missing.signal('x'), () => missing.cancel(), () => missing.terminate()]) {
      const error = await raises(call());
      check(error instanceof WorkflowNotFoundError, `${error}`);
    }
    const error = await raises(missing.query('x'));
    check(isGrpcServiceError(error.cause), `${error}`);
    equal(error.cause.code, 12);
    equal(error.cause.details, 'unknown method QueryWorkflow for service temporal.api.workflowservice.v1.WorkflowService');
  },
};

async function attempt(body: () => Promise<void>): Promise<string> {
  try {
    await Promise.race([body(), pause(timeoutMs).then(() => check(false, 'timed out'))]);
    return '';
  } catch (error: any) {
    return `${error.stack ?? error}${error.cause ? `\n${error.cause.stack}` : ''}`;
  }
}

async function main(): Promise<number> {
  Runtime.install({ logger: new DefaultLogger('ERROR', () => undefined) });
  native = await NativeConnection.connect({ address });
  client = new Client({ connection: await Connection.connect({ address }) });
  const names = Object.keys(tests).filter((name) => process.argv.length < 3 || name.includes(process.argv[2]));
  let failed = 0;
  console.log(`1..${names.length}`);
  for (const [index, name] of names.entries()) {
    const failure = await attempt(tests[name]);
    if (failure) failed++;
    console.log(`${failure ? 'not ok' : 'ok'} ${index + 1} - ${name}`);
    if (failure) console.log(failure.replace(/^/gm, '# '));
  }
  return failed;
}

main().then(
  (failed) => process.exit(failed ? 1 : 0),
  (error) => {
    console.log(`Bail out! ${error}`);
    process.exit(1);
  },
);
