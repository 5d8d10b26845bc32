package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import java.util.concurrent.TimeUnit;

/**
 * CountingJob whose main ends the whole process, as a usage message of a command line does. It
 * declares the job first, and waits {@code --exit-after-millis} (default 0).
 */
public final class ExitingMain {

    private ExitingMain() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                Arguments.of(args, CountingJob.ARGUMENTS, "exit-after-millis");
        CountingJob.declare(arguments, new CountPerKey(""), "count");
        TimeUnit.MILLISECONDS.sleep(arguments.number("exit-after-millis", 0, 0));
        System.exit(3);
    }
}
