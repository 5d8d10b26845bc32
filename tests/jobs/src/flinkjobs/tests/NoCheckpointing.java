package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** CountingJob without checkpoints: it commits lines only when it is stopped with a savepoint. */
public final class NoCheckpointing {

    private NoCheckpointing() {}

    public static void main(String[] args) throws Exception {
        List<String> all = new ArrayList<>(Arrays.asList(args));
        all.addAll(List.of("--checkpoint-interval", "0"));
        Arguments arguments = Arguments.of(all.toArray(new String[0]), CountingJob.ARGUMENTS);
        CountPerKey count = new CountPerKey(arguments.optional("label", ""));
        CountingJob.declare(arguments, count, "count").execute("counting");
    }
}
