package flinkjobs.tests;

import flinkjobs.counting.CountingJob;
import flinkjobs.numbers.Arguments;

import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/**
 * CountingJob with its counts kept as text: restored from a savepoint of CountingJob it is
 * accepted, and then its tasks fail. With {@code --restarts} 0 (the default) the job ends FAILED.
 */
public final class IncompatibleState {

    private IncompatibleState() {}

    public static void main(String[] args) throws Exception {
        Arguments arguments = Arguments.of(args, CountingJob.ARGUMENTS, "restarts");
        Restarts.allow(
                        arguments.number("restarts", 0, 0),
                        CountingJob.declare(arguments, new CountAsText(), "count"))
                .execute("counting");
    }

    private static final class CountAsText extends KeyedProcessFunction<Long, Long, String> {

        private static final long serialVersionUID = 1L;

        @Override
        public void processElement(Long number, Context context, Collector<String> lines)
                throws Exception {
            var count = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.STRING));
            String before = count.value();
            count.update(before == null ? "1" : before + "1");
            lines.collect(context.getCurrentKey() + "," + count.value().length());
        }
    }
}
