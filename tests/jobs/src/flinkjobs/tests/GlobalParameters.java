package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

import java.util.Map;

/**
 * CountingJob that sets global job parameters of its own, as most real jobs do; they replace the
 * ones of its submission.
 */
public final class GlobalParameters {

    private GlobalParameters() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS);
        CountPerKey count = new CountPerKey(arguments.optional("label", ""));
        StreamExecutionEnvironment env = CountingJob.declare(arguments, count, "count");
        env.getConfig().setGlobalJobParameters(new Parameters());
        env.execute("counting");
    }

    private static final class Parameters extends ExecutionConfig.GlobalJobParameters {

        private static final long serialVersionUID = 1L;

        @Override
        public Map<String, String> toMap() {
            return Map.of("set-by", "main");
        }
    }
}
