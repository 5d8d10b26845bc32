package flinkjobs.tests;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** How often a job is restarted after a failure, said in a way that Flink 1.17 to 2.3 take. */
final class Restarts {

    private Restarts() {}

    static StreamExecutionEnvironment allow(long attempts, StreamExecutionEnvironment env) {
        Configuration configuration = new Configuration();
        String type = attempts == 0 ? "none" : "fixed-delay";
        configuration.setString("restart-strategy.type", type);
        configuration.setString("restart-strategy", type);
        configuration.setString("restart-strategy.fixed-delay.attempts", Long.toString(attempts));
        configuration.setString("restart-strategy.fixed-delay.delay", "100 ms");
        env.configure(configuration, Restarts.class.getClassLoader());
        return env;
    }
}
