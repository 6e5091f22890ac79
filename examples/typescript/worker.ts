// Orders of mixed.sql in TypeScript.
//
//    npm install && npm start
import { NativeConnection, Worker } from '@temporalio/worker';
import * as activities from './activities';

async function main(): Promise<void> {
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address: process.env.TEMPORAL_ADDRESS ?? '127.0.0.1:7233' }),
    taskQueue: 'orders-typescript',
    workflowsPath: require.resolve('./workflows'),
    activities,
  });
  await worker.run();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
