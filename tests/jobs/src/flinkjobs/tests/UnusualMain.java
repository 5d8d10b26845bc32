package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * CountingJob with a {@code main} that does not start one job under the jobId it was given.
 *
 * <p>{@code --main}: {@code twice} executes two environments, {@code same} one environment twice,
 * {@code async} does that with executeAsync, {@code other-id} starts its job under a jobId of its
 * own, {@code none} starts no job, {@code once} one as usual. Before all that it sleeps for {@code
 * --sleep-millis} (default 0) and until the file {@code --until} exists, if one is named; once per
 * run and not while it is planned.
 */
public final class UnusualMain {

    private UnusualMain() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                Arguments.of(args, CountingJob.ARGUMENTS, "main", "sleep-millis", "until", "job-id");
        StreamExecutionEnvironment env = declare(arguments);
        // A plan is made in an environment of another class, and is not what is tested.
        if (!env.getClass().getSimpleName().contains("Plan")) {
            Thread.sleep(arguments.number("sleep-millis", 0, 0));
            String awaited = arguments.optional("until", "");
            while (!awaited.isEmpty() && !new java.io.File(awaited).exists()) {
                Thread.sleep(100);
            }
        }
        switch (arguments.optional("main", "once")) {
            case "twice":
                env.execute("counting");
                declare(arguments).execute("second");
                break;
            case "same":
                env.execute("counting");
                env.execute("second");
                break;
            case "async":
                env.executeAsync("counting");
                env.executeAsync("second");
                break;
            case "other-id":
                Configuration configuration = new Configuration();
                configuration.setString(
                        "$internal.pipeline.job-id", arguments.required("job-id"));
                env.configure(configuration, UnusualMain.class.getClassLoader());
                env.execute("counting");
                break;
            case "none":
                break;
            default:
                env.execute("counting");
        }
    }

    private static StreamExecutionEnvironment declare(Arguments arguments) {
        CountPerKey count = new CountPerKey(arguments.optional("label", ""));
        return CountingJob.declare(arguments, count, "count");
    }
}
