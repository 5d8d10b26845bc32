package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

/** CountingJob under another entry class: the same state, and lines labelled v2. */
public final class CountingJobV2 {

    private CountingJobV2() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS);
        String label = arguments.optional("label", "");
        String marked = label.isEmpty() ? "v2" : "v2-" + label;
        CountingJob.declare(arguments, new CountPerKey(marked), "count").execute("counting");
    }
}
