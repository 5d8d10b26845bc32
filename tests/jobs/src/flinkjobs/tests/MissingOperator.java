package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

/**
 * CountingJob whose counting operator has another uid: a savepoint of CountingJob holds state that
 * has no place in it, so Flink refuses the submission unless non-restored state is allowed.
 */
public final class MissingOperator {

    private MissingOperator() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS);
        CountPerKey count = new CountPerKey(arguments.optional("label", ""));
        CountingJob.declare(arguments, count, "count-renamed").execute("counting");
    }
}
