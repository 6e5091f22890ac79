// What bench/peers runs of other systems: a process that starts workflows,
// works on them, and waits for their results, as users of these SDKs do.
//
// usage: node peers.mjs SYSTEM STEPS IN_FLIGHT WARM_UP SECONDS
//
// Runs in the folder that the SDKs are installed in.  libpq's environment says
// where the database is.  Prints lines "name value".

import { createRequire } from "node:module";
import { performance } from "node:perf_hooks";

const require = createRequire(`${process.cwd()}/`);
const pg = require("pg");
const [system, ...numbers] = process.argv.slice(2);
const [steps, inFlight, warmUp, seconds] = numbers.map(Number);

// DBOS stands still with fewer than its default, and more than this do not make
// two cores faster.
const connections = Math.max(10, Math.min(inFlight, 32));
const insert = "INSERT INTO payment (step, amount) VALUES ($1, 100) RETURNING id";

// The same prepared statement each time.
async function pay(pool, step) {
	const { rows } = await pool.query({ name: "pay", text: insert, values: [step] });
	return rows[0].id;
}

// absurd asks for results and for tasks again and again, the former after 50 ms
// at the soonest: that would be all that there is to see.  So whoever waits for
// a result hears of it from the worker, and the worker looks for tasks every 5
// ms besides whenever it has done one.
async function absurd() {
	const { Absurd } = require("absurd-sdk");
	const payments = new pg.Pool({ max: connections });
	const app = new Absurd({ db: new pg.Pool({ max: connections }), queueName: "bench" });
	const done = new Map();

	class Result {
		constructor() {
			this.promise = new Promise((resolve) => (this.resolve = resolve));
		}
	}
	// The task may be done before its id has come back from spawn().
	const result = (id) => done.get(id) ?? done.set(id, new Result()).get(id);

	app.registerTask({ name: "pay" }, async (input, task) => {
		for (let step = 1; step <= input.steps; step++) {
			await task.step("pay", () => pay(payments, step));
		}
		return input.steps;
	});
	const execute = app.executeTask.bind(app);
	app.executeTask = async (task, ...rest) => {
		await execute(task, ...rest);
		result(task.task_id).resolve();
	};
	await app.startWorker({ concurrency: inFlight, pollInterval: 0.005 });

	return async () => {
		const { taskID } = await app.spawn("pay", { steps });
		await result(taskID).promise;
		done.delete(taskID);
	};
}

// DBOS runs a workflow in the process that starts it.
async function dbos(step) {
	const { DBOS } = require("@dbos-inc/dbos-sdk");

	DBOS.setConfig({
		name: "bench",
		systemDatabaseUrl: `postgresql://${process.env.PGUSER}@localhost:${process.env.PGPORT}/${process.env.PGDATABASE}?host=${process.env.PGHOST}`,
		systemDatabasePoolSize: connections,
		logLevel: "error",
	});
	const workflow = DBOS.registerWorkflow(
		async (n) => {
			for (let i = 1; i <= n; i++) {
				await step(i);
			}
			return n;
		},
		{ name: "pay" },
	);
	await DBOS.launch();

	return async () => (await DBOS.startWorkflow(workflow)(steps)).getResult();
}

// A step commits what it does, then DBOS commits that it has been done.
async function dbosStep() {
	const { DBOS } = require("@dbos-inc/dbos-sdk");
	const payments = new pg.Pool({ max: connections });

	return dbos((i) => DBOS.runStep(() => pay(payments, i), { name: "pay" }));
}

// A transaction commits both what it does and that it has been done.
async function dbosTransaction() {
	const { PostgresDataSource } = require("@dbos-inc/postgres-datasource");
	const source = new PostgresDataSource("bench", {
		host: process.env.PGHOST,
		port: Number(process.env.PGPORT),
		user: process.env.PGUSER,
		database: process.env.PGDATABASE,
		max: connections,
		onnotice: () => {},
	});
	async function payInside(i) {
		const rows = await PostgresDataSource.client.unsafe(insert, [i], { prepare: true });
		return rows[0].id;
	}

	return dbos((i) => source.runTransaction(() => payInside(i), { name: "pay" }));
}

// Keeps so many in flight, and measures after the warm-up.  Either takes as long
// as it was told to, and until as many as are in flight have ended in it.
async function load(execute) {
	let times = [];
	let all = 0;
	let measuring = false;
	let stopping = false;
	let began = performance.now();
	let cpu, lasted;

	function count(time) {
		all++;
		times.push(time);
		const elapsed = performance.now() - began;
		if (times.length < inFlight || elapsed < (measuring ? seconds : warmUp) * 1000) {
			return;
		}
		if (measuring) {
			stopping = true;
			lasted = elapsed / 1000;
			cpu = process.cpuUsage(cpu);
		} else {
			measuring = true;
			times = [];
			began = performance.now();
			cpu = process.cpuUsage();
		}
	}
	async function client() {
		while (!stopping) {
			const started = performance.now();
			await execute();
			if (!stopping) {
				count(performance.now() - started);
			} else {
				all++;
			}
		}
	}
	await Promise.all(Array.from({ length: inFlight }, client));

	times.sort((a, b) => a - b);
	const quantile = (q) => times[Math.ceil(q * times.length) - 1];
	console.log(`all ${all}`);
	console.log(`rate ${times.length / lasted}`);
	console.log(`p50 ${quantile(0.5)}`);
	console.log(`p99 ${quantile(0.99)}`);
	console.log(`cpu ${(cpu.user + cpu.system) / 1000 / times.length}`);
}

const systems = { absurd, "dbos-step": dbosStep, "dbos-transaction": dbosTransaction };
await load(await systems[system]());
process.exit(0);
