package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.util.Collector;

/** CountingJob that counts, and emits nothing. */
public final class SilentCount {

    private SilentCount() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS);
        Count count = new Count(arguments.optional("label", ""));
        CountingJob.declare(arguments, count, "count").execute("counting");
    }

    private static final class Count extends CountPerKey {

        private static final long serialVersionUID = 1L;

        Count(String label) {
            super(label);
        }

        @Override
        public void processElement(Long number, Context context, Collector<String> lines)
                throws Exception {
            super.processElement(number, context, new Nowhere());
        }
    }

    private static final class Nowhere implements Collector<String> {

        @Override
        public void collect(String line) {}

        @Override
        public void close() {}
    }
}
