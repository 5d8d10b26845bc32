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
INSERT INTO "actions" VALUES(1,'af39cecd-9087-4133-8951-7a6737ae4e24',1,'NEW','stack','SUCCESS','Job started without state','{"job_name": "hdinsight", "owner": "/subscriptions/0000/resourcegroups/group/providers/microsoft.hdinsight/clusterpools/pool/clusters/cluster-1", "jar": "file://@ROOT@/hdinsight/jars/hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/hdinsight", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400"], "parallelism": 1, "flink_configuration": {"flink-jobs.spec": "5845a4425ac50219be-20c47ab312632a4e4d82c9345bd693f4"}, "desired_state": "running", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "on_delete": "cancel", "settle_time": "10s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}','a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13','{"jobJarDirectory": "file://@ROOT@/hdinsight/jars", "jarName": "hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entryClass": "flinkjobs.counting.CountingJob", "args": "--output /tmp/flink-jobs-taken-over/hdinsight --keys 4 --rate 40 --checkpoint-interval 400", "flinkConfiguration": {"parallelism": "1", "flink-jobs.spec": "5845a4425ac50219be-20c47ab312632a4e4d82c9345bd693f4"}, "savePointName": null}',1.79589312447801232337e+09,1.79589312447801232337e+09,1.79589312842299199108e+09,1.79589492447801232334e+09,NULL,NULL,0);
INSERT INTO "actions" VALUES(2,'a11fb5c1-5776-4956-bb17-b7c97006dbd4',1,'UPDATE','stack','SUCCESS','Job started from file:@ROOT@/flink/flink-of-5387/savepoints/hdinsight/5845a4425ac57f9ef70000018075ee1e/savepoint-5845a4-4d81d050abd0','{"job_name": "hdinsight", "owner": "/subscriptions/0000/resourcegroups/group/providers/microsoft.hdinsight/clusterpools/pool/clusters/cluster-1", "jar": "file://@ROOT@/hdinsight/jars/hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/hdinsight", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400", "--label", "two"], "parallelism": 1, "flink_configuration": {"flink-jobs.spec": "5845a4425ac50219be-ccfc61b857dc24b5c1d54612b97f36af"}, "desired_state": "running", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "restart_trigger": "a11fb5c1-5776-4956-bb17-b7c97006dbd4", "on_delete": "cancel", "settle_time": "0s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}','a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13','{"jobJarDirectory": "file://@ROOT@/hdinsight/jars", "jarName": "hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entryClass": "flinkjobs.counting.CountingJob", "args": "--output /tmp/flink-jobs-taken-over/hdinsight --keys 4 --rate 40 --checkpoint-interval 400 --label two", "flinkConfiguration": {"parallelism": "1", "flink-jobs.spec": "5845a4425ac50219be-ccfc61b857dc24b5c1d54612b97f36af"}, "savePointName": null}',1.79589313712099337577e+09,1.79589313712099337577e+09,1.79589313910400414468e+09,1.79589493712099337579e+09,NULL,NULL,0);
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
INSERT INTO "jobs" VALUES(1,'/subscriptions/0000/resourcegroups/group/providers/microsoft.hdinsight/clusterpools/pool/clusters/cluster-1','hdinsight','job-d7d-44f2-0661-ad63681946e7','5845a4425ac57f9ef7','5845a4425ac57f9ef7000002652359aa',2,'RUNNING',1,'hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar','a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13','{"job_id": "5845a4425ac57f9ef7000002652359aa", "status": "RUNNING", "action": "UPDATE", "action_result": "SUCCESS", "job_output": "Job started from file:@ROOT@/flink/flink-of-5387/savepoints/hdinsight/5845a4425ac57f9ef70000018075ee1e/savepoint-5845a4-4d81d050abd0", "last_savepoint": "file:@ROOT@/flink/flink-of-5387/savepoints/hdinsight/5845a4425ac57f9ef70000018075ee1e/savepoint-5845a4-4d81d050abd0", "savepoints": [{"path": "file:@ROOT@/flink/flink-of-5387/savepoints/hdinsight/5845a4425ac57f9ef70000018075ee1e/savepoint-5845a4-4d81d050abd0", "taken_at": "2026-11-28T19:12:18Z", "reason": "UPDATE"}], "generation": 2, "restored_from": "file:@ROOT@/flink/flink-of-5387/savepoints/hdinsight/5845a4425ac57f9ef70000018075ee1e/savepoint-5845a4-4d81d050abd0", "running_parallelism": 1, "retains_checkpoints": false, "flink_version": "2.3.0", "dashboard_url": "@FLINK@/#/job/running/5845a4425ac57f9ef7000002652359aa/overview", "other_version": false, "duplicates": [], "spec": {"job_name": "hdinsight", "owner": "/subscriptions/0000/resourcegroups/group/providers/microsoft.hdinsight/clusterpools/pool/clusters/cluster-1", "jar": "file://@ROOT@/hdinsight/jars/hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar", "jar_digest": "a4f1991908f0df46b2fd4a4bc24b038393eab95d25073c6545ae89eb2922ed13", "entry_class": "flinkjobs.counting.CountingJob", "args": ["--output", "/tmp/flink-jobs-taken-over/hdinsight", "--keys", "4", "--rate", "40", "--checkpoint-interval", "400", "--label", "two"], "parallelism": 1, "flink_configuration": {"flink-jobs.spec": "5845a4425ac50219be-ccfc61b857dc24b5c1d54612b97f36af"}, "desired_state": "running", "upgrade_mode": "savepoint", "allow_non_restored_state": false, "savepoint_format": "canonical", "restart_trigger": "a11fb5c1-5776-4956-bb17-b7c97006dbd4", "on_delete": "cancel", "settle_time": "0s", "timeouts": {"submit": "5m", "running": "10m", "savepoint": "30m", "cancel": "5m"}}}','{"jobJarDirectory": "file://@ROOT@/hdinsight/jars", "jarName": "hdinsight-ea7e1624-a4f1991908f0df46b2fd4a4bc24b0383.jar", "entryClass": "flinkjobs.counting.CountingJob", "args": "--output /tmp/flink-jobs-taken-over/hdinsight --keys 4 --rate 40 --checkpoint-interval 400 --label two", "flinkConfiguration": {"parallelism": "1", "flink-jobs.spec": "5845a4425ac50219be-ccfc61b857dc24b5c1d54612b97f36af"}, "savePointName": null}',4,'a11fb5c1-5776-4956-bb17-b7c97006dbd4',1.79589312447801232337e+09,NULL,NULL,NULL,'stack',1.79589313910400414468e+09,NULL,NULL);
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
INSERT INTO "savepoints" VALUES(1,1,'file:@ROOT@/flink/flink-of-5387/savepoints/hdinsight/5845a4425ac57f9ef70000018075ee1e/savepoint-5845a4-4d81d050abd0','2026-11-28T19:12:18Z','UPDATE',1.79589313910400414468e+09);
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
INSERT INTO "sqlite_sequence" VALUES('actions',2);
INSERT INTO "sqlite_sequence" VALUES('savepoints',1);
COMMIT;
