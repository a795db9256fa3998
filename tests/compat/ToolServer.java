// Kafka's command line tools, many calls in one JVM: a line `CLASS ARGUMENT …` on stdin, parted by tabs, runs that
// tool. What it says comes back on stdout, then `== exit CODE ==`. Spares each call a start of a second.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

public final class ToolServer {
  private static final PrintStream SAID = System.out;
  private static Integer code;

  /** Leaves the tool where it called for the end of the process. */
  private static final class Ended extends RuntimeException {
    Ended() {
      super(null, null, false, false);
    }
  }

  public static void main(String[] args) throws Exception {
    Exit.setExitProcedure((status, message) -> end(status, message));
    Exit.setHaltProcedure((status, message) -> end(status, message));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      code = null;
      System.setOut(SAID);
      System.setErr(SAID);
      run(line.split("\t"));
      SAID.println("== exit " + (code == null ? 0 : code) + " ==");
      SAID.flush();
    }
    System.exit(0);
  }

  /** Some tools catch everything, also what ends them here, and complain: the first end counts. */
  private static void end(int status, String message) {
    if (code == null) {
      if (message != null) System.out.println(message);
      code = status;
      PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream());
      System.setOut(nowhere);
      System.setErr(nowhere);
    }
    throw new Ended();
  }

  private static void run(String[] words) {
    String[] arguments = Arrays.copyOfRange(words, 1, words.length);
    try {
      Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
    } catch (ReflectiveOperationException thrown) {
      if (code != null) return;
      thrown.printStackTrace(SAID);
      code = 1;
    }
  }
}
