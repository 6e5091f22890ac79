import { activityInfo, ApplicationFailure, CompleteAsyncError, Context, heartbeat, sleep } from '@temporalio/activity';

export const seen: { beating?: boolean; token?: Uint8Array } = {};

export async function greet(name: string): Promise<string> {
  return `Hello, ${name}!`;
}

export async function failUntil(attempt: number): Promise<number> {
  if (activityInfo().attempt < attempt) throw new Error('not yet');
  return activityInfo().attempt;
}

export async function failForGood(): Promise<void> {
  throw ApplicationFailure.create({ message: 'never', type: 'Never', nonRetryable: true, details: [42] });
}

export async function sleepLong(): Promise<void> {
  await sleep('1 minute');
}

export async function beatUntilCancelled(): Promise<void> {
  for (;;) {
    heartbeat('beat');
    seen.beating = true;
    await sleep(50);
  }
}

export async function rememberHeartbeat(): Promise<string> {
  const details = activityInfo().heartbeatDetails;
  if (details) return details;
  heartbeat('from the first attempt');
  throw new Error('lost');
}

export async function completeLater(): Promise<string> {
  seen.token = Context.current().info.taskToken;
  throw new CompleteAsyncError();
}
