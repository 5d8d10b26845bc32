BEGIN TRANSACTION;
CREATE TABLE actions (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	id TEXT NOT NULL, 
	job_number INTEGER NOT NULL, 
	action TEXT NOT NULL, 
	caller TEXT NOT NULL, 
	result TEXT NOT NULL, 
	output TEXT NOT NULL, 
	wanted JSON, 
	jar_digest TEXT, 
	as_given JSON NOT NULL, 
	accepted_at DOUBLE NOT NULL, 
	began_at DOUBLE, 
	finished_at DOUBLE, 
	deadline DOUBLE NOT NULL, 
	claimed_by TEXT, 
	claimed_until DOUBLE, cancels_first BOOLEAN DEFAULT 0 NOT NULL, 
	UNIQUE (id), 
	FOREIGN KEY(job_number) REFERENCES jobs (number) ON DELETE CASCADE
);
INSERT INTO "actions" VALUES(1,'0a19b11f-c5d5-4759-bad0-e2744f50ad1d',1,'NEW','stack','SUCCESS','The job is on record, and was not started','null',NULL,'{"dli": {"name": "dli", "queue_name": "streams", "parallel_number": 1, "main_class": "flinkjobs.counting.CountingJob", "entrypoint": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entrypoint_args": "--output /tmp/flink-jobs-taken-over/dli --keys 4 --rate 40 --checkpoint-interval 400", "runtime_config": "[{\"key\": \"flink-jobs.spec\", \"value\": \"e95be60d034b0219be-d8e7ff8f47b3e09297a57d9231a7863f\"}]"}}',1.79589312446598267552e+09,1.79589312446598267552e+09,1.79589312446598267552e+09,1.79589312446598267552e+09,NULL,NULL,0);
INSERT INTO "actions" VALUES(2,'06fa7167-2a4b-47d7-b822-bf4744850a4a',1,'NEW','stack','SUCCESS','Job started without state','{"job_name": "dli", "owner": "dli/project2/streams", "jar": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/dli", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400"], "parallelism": 1, "flink_configuration": {}, "desired_state": "running", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "on_delete": "cancel", "settle_time": "10s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}','a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13','{"dli": {"name": "dli", "queue_name": "streams", "parallel_number": 1, "main_class": "flinkjobs.counting.CountingJob", "entrypoint": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entrypoint_args": "--output /tmp/flink-jobs-taken-over/dli --keys 4 --rate 40 --checkpoint-interval 400", "runtime_config": "[{\"key\": \"flink-jobs.spec\", \"value\": \"e95be60d034b0219be-d8e7ff8f47b3e09297a57d9231a7863f\"}]"}}',1.79589312459899330134e+09,1.79589312459899330134e+09,1.79589312839201235773e+09,1.79589492459899330136e+09,NULL,NULL,0);
INSERT INTO "actions" VALUES(3,'0d5064bc-ca5f-4057-b16d-9a89f727fa7c',1,'STOP','stack','SUCCESS','Savepoint completed. Path: file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480','{"job_name": "dli", "owner": "dli/project2/streams", "jar": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/dli", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400"], "parallelism": 1, "flink_configuration": {}, "desired_state": "stopped", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "on_delete": "cancel", "settle_time": "0s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}',NULL,'{"dli": {"name": "dli", "queue_name": "streams", "parallel_number": 1, "main_class": "flinkjobs.counting.CountingJob", "entrypoint": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entrypoint_args": "--output /tmp/flink-jobs-taken-over/dli --keys 4 --rate 40 --checkpoint-interval 400", "runtime_config": "[{\"key\": \"flink-jobs.spec\", \"value\": \"e95be60d034b0219be-d8e7ff8f47b3e09297a57d9231a7863f\"}]"}}',1.79589313709001398081e+09,1.79589313709001398081e+09,1.79589313786900782584e+09,1.79589493709001398087e+09,NULL,NULL,0);
INSERT INTO "actions" VALUES(4,'f40905d0-68b1-403e-baa5-4ce8d5ad9ee7',1,'UPDATE','stack','SUCCESS','Changed on record; it counts from the next start on','null',NULL,'{"dli": {"name": "dli", "queue_name": "streams", "parallel_number": 1, "main_class": "flinkjobs.counting.CountingJob", "entrypoint": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entrypoint_args": "--output /tmp/flink-jobs-taken-over/dli --keys 4 --rate 40 --checkpoint-interval 400 --label two", "runtime_config": "[{\"key\": \"flink-jobs.spec\", \"value\": \"e95be60d034b0219be-f86bb9f324e059a284d69ef9c426db27\"}]"}}',1.79589313832698154447e+09,1.79589313832698154447e+09,1.79589313832698154447e+09,1.79589313832698154447e+09,NULL,NULL,0);
INSERT INTO "actions" VALUES(5,'73369ffa-e8b6-4856-8a2e-d2b17c5017d8',1,'START','stack','SUCCESS','Job started from file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480','{"job_name": "dli", "owner": "dli/project2/streams", "jar": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/dli", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400", "--label", "two"], "parallelism": 1, "flink_configuration": {}, "desired_state": "running", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "on_delete": "cancel", "settle_time": "0s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}','a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13','{"dli": {"name": "dli", "queue_name": "streams", "parallel_number": 1, "main_class": "flinkjobs.counting.CountingJob", "entrypoint": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entrypoint_args": "--output /tmp/flink-jobs-taken-over/dli --keys 4 --rate 40 --checkpoint-interval 400 --label two", "runtime_config": "[{\"key\": \"flink-jobs.spec\", \"value\": \"e95be60d034b0219be-f86bb9f324e059a284d69ef9c426db27\"}]"}}',1.79589313851499104502e+09,1.79589313851499104502e+09,1.79589313952600955958e+09,1.79589493851499104495e+09,NULL,NULL,0);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE jobs (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	cluster TEXT NOT NULL, 
	job_name TEXT NOT NULL, 
	run_id TEXT NOT NULL, 
	identity TEXT NOT NULL, 
	job_id TEXT, 
	generation INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	settled BOOLEAN NOT NULL, 
	jar_name TEXT NOT NULL, 
	jar_digest TEXT NOT NULL, 
	record JSON NOT NULL, 
	as_given JSON NOT NULL, 
	revision INTEGER NOT NULL, 
	last_action TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	deleted_at DOUBLE, next_inputs JSON, next_restore TEXT, created_by TEXT, started_at DOUBLE, changed_at DOUBLE, ended_at DOUBLE, 
	UNIQUE (run_id)
);
INSERT INTO "jobs" VALUES(1,'dli/project2/streams','dli','job-492-1feb-da8c-7d697007aafc','e95be60d034bbe0ae8','e95be60d034bbe0ae800000250aee095',2,'RUNNING',1,'dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar','a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13','{"job_id": "e95be60d034bbe0ae800000250aee095", "status": "RUNNING", "action": "START", "action_result": "SUCCESS", "job_output": "Job started from file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480", "last_savepoint": "file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480", "savepoints": [{"path": "file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480", "taken_at": "2026-11-28T19:12:17Z", "reason": "STOP"}], "generation": 2, "restored_from": "file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480", "running_parallelism": 1, "retains_checkpoints": false, "flink_version": "2.3.0", "dashboard_url": "@FLINK@/#/job/running/e95be60d034bbe0ae800000250aee095/overview", "other_version": false, "duplicates": [], "spec": {"job_name": "dli", "owner": "dli/project2/streams", "jar": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/dli", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400", "--label", "two"], "parallelism": 1, "flink_configuration": {}, "desired_state": "running", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "on_delete": "cancel", "settle_time": "0s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}}','{"dli": {"name": "dli", "queue_name": "streams", "parallel_number": 1, "main_class": "flinkjobs.counting.CountingJob", "entrypoint": "file://@ROOT@/dli/jars/dli-3eede285-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entrypoint_args": "--output /tmp/flink-jobs-taken-over/dli --keys 4 --rate 40 --checkpoint-interval 400 --label two", "runtime_config": "[{\"key\": \"flink-jobs.spec\", \"value\": \"e95be60d034b0219be-f86bb9f324e059a284d69ef9c426db27\"}]"}}',8,'73369ffa-e8b6-4856-8a2e-d2b17c5017d8',1.79589312446598267552e+09,NULL,NULL,NULL,'stack',1.79589313952600955958e+09,1.79589313832698154447e+09,NULL);
CREATE TABLE savepoints (
	number INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	job_number INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	taken_at TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	recorded_at DOUBLE NOT NULL, 
	CONSTRAINT each_savepoint_once UNIQUE (job_number, path), 
	FOREIGN KEY(job_number) REFERENCES jobs (number) ON DELETE CASCADE
);
INSERT INTO "savepoints" VALUES(1,1,'file:@ROOT@/flink/flink-of-5387/savepoints/dli/e95be60d034bbe0ae8000001152ca673/savepoint-e95be6-61a7493aa480','2026-11-28T19:12:17Z','STOP',1.79589313786900782584e+09);
CREATE UNIQUE INDEX one_live_job_of_a_name ON jobs (cluster, job_name) WHERE deleted_at IS NULL;
CREATE INDEX live_jobs_of_a_cluster ON jobs (cluster, number) WHERE deleted_at IS NULL;
CREATE INDEX live_jobs_of_a_jar ON jobs (cluster, jar_name, number) WHERE deleted_at IS NULL;
CREATE INDEX live_jobs_by_status ON jobs (cluster, status) WHERE deleted_at IS NULL;
CREATE INDEX live_jobs_by_identity ON jobs (identity) WHERE deleted_at IS NULL;
CREATE INDEX deleted_jobs ON jobs (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX jobs_of_a_name ON jobs (cluster, job_name);
CREATE UNIQUE INDEX one_action_in_progress ON actions (job_number) WHERE finished_at IS NULL;
CREATE INDEX actions_in_progress ON actions (number) WHERE finished_at IS NULL;
CREATE INDEX actions_of_a_job ON actions (job_number, number);
CREATE INDEX finished_actions ON actions (finished_at);
CREATE INDEX savepoints_by_age ON savepoints (recorded_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('jobs',1);
INSERT INTO "sqlite_sequence" VALUES('actions',5);
INSERT INTO "sqlite_sequence" VALUES('savepoints',1);
COMMIT;
