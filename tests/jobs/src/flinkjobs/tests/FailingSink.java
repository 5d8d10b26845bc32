package flinkjobs.tests;

import flinkjobs.counting.CountPerKey;
import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.api.common.serialization.Encoder;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;

/**
 * CountingJob whose sink fails {@code --fail-after-millis} (default 500) after its first line, each
 * time it is started. It is restarted {@code --restarts} times (default 0).
 */
public final class FailingSink {

    private FailingSink() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments =
                Arguments.of(args, CountingJob.ARGUMENTS, "fail-after-millis", "restarts");
        CountPerKey count = new CountPerKey(arguments.optional("label", ""));
        Lines lines = new Lines(arguments.number("fail-after-millis", 500, 0));
        Restarts.allow(
                        arguments.number("restarts", 0, 0),
                        CountingJob.declare(arguments, count, "count", lines))
                .execute("counting");
    }

    private static final class Lines implements Encoder<String> {

        private static final long serialVersionUID = 1L;

        private final long millis;
        private transient long first;

        Lines(long millis) {
            this.millis = millis;
        }

        @Override
        public void encode(String line, OutputStream stream) throws IOException {
            if (first == 0) {
                first = System.nanoTime();
            }
            if (System.nanoTime() - first >= TimeUnit.MILLISECONDS.toNanos(millis)) {
                throw new IOException("the sink failed on purpose");
            }
            stream.write((line + "\n").getBytes(StandardCharsets.UTF_8));
        }
    }
}
