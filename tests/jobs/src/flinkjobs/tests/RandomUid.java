package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import java.util.UUID;

/** CountingJob whose counting operator has another uid each time main is run. */
public final class RandomUid {

    private RandomUid() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS);
        CountPerKey count = new CountPerKey(arguments.optional("label", ""));
        CountingJob.declare(arguments, count, UUID.randomUUID().toString()).execute("counting");
    }
}
